// One alarm: boxes on and off, marks, keys, swiping to the neighbours.

import { confirmDelete, isTyping, send, tell } from "./ask.js";

const SWIPE_PX = 60;

const alarm = document.getElementById("alarm");
const id = Number(alarm.dataset.id);
const picture = document.getElementById("picture");
const reviewed = document.getElementById("reviewed");
const boxes = document.getElementById("boxes");
const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
const press = (button, isOn) => button.setAttribute("aria-pressed", String(isOn));
const attempt = (work) => work.catch((error) => tell(error.message, "error"));
const follow = (name) => { const link = document.getElementById(name); if (link) location.assign(link.href); };

function showReviewed(isReviewed) {
  alarm.dataset.reviewed = String(isReviewed);
  reviewed.textContent = isReviewed ? "✓ Reviewed" : "Mark as reviewed";
  reviewed.classList.toggle("plain", isReviewed);
}

async function toggleReviewed() {
  const isReviewed = alarm.dataset.reviewed !== "true";
  await send(alarm.dataset.change, { ids: [id], reviewed: isReviewed });
  showReviewed(isReviewed);
}

async function toggleMark(button) {
  const isMarked = !isPressed(button);
  await send(alarm.dataset.change, { ids: [id], mark: isMarked ? button.dataset.mark : null });
  press(button, isMarked);
  if (isMarked) showReviewed(true);
}

async function removeThis() {
  if (!(await confirmDelete(1))) return;
  await send(alarm.dataset.delete, { ids: [id] });
  const next = document.getElementById("older") ?? document.getElementById("newer");
  location.replace(next ? next.href : alarm.dataset.list);
}

function showBoxes(isOn) {
  if (!boxes) return;
  picture.classList.toggle("without-boxes", !isOn);
  press(boxes, isOn);
  try { localStorage.setItem("boxes", isOn ? "on" : "off"); } catch { /* then not remembered */ }
}

reviewed.addEventListener("click", () => attempt(toggleReviewed()));
document.getElementById("remove").addEventListener("click", () => attempt(removeThis()));
boxes?.addEventListener("click", () => showBoxes(!isPressed(boxes)));
for (const button of document.querySelectorAll("[data-mark]")) {
  button.addEventListener("click", () => attempt(toggleMark(button)));
}
try { if (localStorage.getItem("boxes") === "off") showBoxes(false); } catch { /* shown, then */ }

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
    case "r": attempt(toggleReviewed()); break;
    case "b": if (boxes) showBoxes(!isPressed(boxes)); break;
    case "Delete": attempt(removeThis()); break;
    case "Escape": follow("back"); break;
    default: return;
  }
  event.preventDefault();
});

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
