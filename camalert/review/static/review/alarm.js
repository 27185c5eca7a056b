// One alarm: boxes on and off, marks, keys, swiping to the neighbours.

import { playInPlace } from "./clip.js";
import { light } from "./lightbox.js";
import { MARKS, attempt, isTyping, keepPlace, send, toast, tellThere } from "./ask.js";

const SWIPE_PX = 60;

const alarm = document.getElementById("alarm");
const id = Number(alarm.dataset.id);
const picture = document.getElementById("picture");
const reviewed = document.getElementById("reviewed");
const boxes = document.getElementById("boxes");
const marks = [...document.querySelectorAll("[data-mark]")];
const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));
const follow = (name) => { const link = document.getElementById(name); if (link) location.assign(link.href); };

function showReviewed(isReviewed) {
  alarm.dataset.reviewed = String(isReviewed);
  reviewed.textContent = isReviewed ? `✓ ${gettext("Reviewed")}` : gettext("Mark reviewed");
  reviewed.classList.toggle("plain", isReviewed);
}

async function change(values) {
  await send(alarm.dataset.change, { ids: [id], ...values });
  if ("mark" in values) for (const button of marks) press(button, button.dataset.mark === values.mark);
  showReviewed(values.reviewed ?? (values.mark ? true : alarm.dataset.reviewed === "true"));
}

async function toggleReviewed() {
  const wasReviewed = alarm.dataset.reviewed === "true";
  await change({ reviewed: !wasReviewed });
  toast(wasReviewed ? gettext("Marked as unreviewed.") : gettext("Marked as reviewed."), () => change({ reviewed: wasReviewed }));
}

/** Mark it as reviewed and go on to the next one of the list; one that is reviewed becomes unreviewed and stays. */
async function reviewAndGoOn() {
  const older = document.getElementById("older");
  if (alarm.dataset.reviewed === "true" || !older) { await toggleReviewed(); return; }
  await change({ reviewed: true });
  tellThere(gettext("Marked as reviewed."), { url: alarm.dataset.change, body: { ids: [id], reviewed: false } });
  location.assign(older.href);
}

async function toggleMark(button) {
  const wasReviewed = alarm.dataset.reviewed === "true";
  const before = marks.find(isPressed)?.dataset.mark ?? null;
  const mark = isPressed(button) ? null : button.dataset.mark;
  await change({ mark });
  toast(mark ? interpolate(gettext("Flagged: %(mark)s."), { mark: MARKS[mark] }, true) : gettext("Flag removed."), () => change({ mark: before, reviewed: wasReviewed }));
}

async function removeThis() {
  if (!alarm.dataset.delete) return; // owners only
  const { deletion } = await send(alarm.dataset.delete, { ids: [id] });
  tellThere(gettext("1 picture deleted; the bin keeps it for a day."), { url: alarm.dataset.restore, body: { deletion } });
  const next = document.getElementById("older") ?? document.getElementById("newer");
  location.replace(next ? next.href : alarm.dataset.list);
}

function showBoxes(isOn) {
  if (!boxes) return;
  picture.classList.toggle("without-boxes", !isOn);
  press(boxes, isOn);
  try { localStorage.setItem("camalert-boxes", isOn ? "on" : "off"); } catch { /* then not remembered */ }
}

reviewed.addEventListener("click", () => attempt(toggleReviewed()));
document.getElementById("remove")?.addEventListener("click", () => attempt(removeThis()));
boxes?.addEventListener("click", () => showBoxes(!isPressed(boxes)));
for (const button of marks) {
  button.addEventListener("click", () => attempt(toggleMark(button)));
}
try { if (localStorage.getItem("camalert-boxes") === "off") showBoxes(false); } catch { /* shown, then */ }

const snapshot = document.getElementById("snapshot");
function showMissing() {
  snapshot.closest("a").hidden = true;
  picture.querySelector(".boxes")?.remove();
  picture.querySelector(".no-picture").hidden = false;
}
if (snapshot.complete && !snapshot.naturalWidth) showMissing();
snapshot.addEventListener("error", showMissing);

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  switch (event.key) {
    case "ArrowLeft": follow("newer"); break;
    case "ArrowRight": follow("older"); break;
    case "r": attempt(reviewAndGoOn()); break;
    case "f": { const item = document.querySelector("[data-light]"); if (item) light(item); break; }
    case "b": if (boxes) showBoxes(!isPressed(boxes)); break;
    case "Delete": attempt(removeThis()); break;
    case "Escape": follow("back"); break;
    default: return;
  }
  event.preventDefault();
});

// The list comes back to this picture, however one returns.
const keep = () => keepPlace(alarm.dataset.album, alarm.dataset.query, { id, timestamp: alarm.dataset.timestamp });
keep();
addEventListener("pageshow", keep);

playInPlace(picture);

let start = null;
picture.addEventListener("touchstart", (event) => {
  start = event.touches.length === 1 ? event.touches[0] : null;
}, { passive: true });
picture.addEventListener("touchend", (event) => {
  const touch = event.changedTouches[0];
  if (!start || (visualViewport?.scale ?? 1) > 1.05) return; // a zoomed picture is moved, not left
  const [x, y] = [touch.clientX - start.clientX, touch.clientY - start.clientY];
  start = null;
  if (Math.abs(x) > SWIPE_PX && Math.abs(x) > 2 * Math.abs(y)) follow(x > 0 ? "newer" : "older");
});
