// One visit: reviewed and on to the next, marks, deletion, keys, the light box.

import { MARKS, attempt, isTyping, keepPlace, send, tellThere } from "./ask.js";
import { playInPlace } from "./clip.js";
import { light } from "./lightbox.js";

const visit = document.getElementById("visit");
const id = Number(visit.dataset.id);
const isReviewed = () => visit.dataset.reviewed === "true";
const follow = (name) => { const link = document.getElementById(name); if (link) location.assign(link.href); };

/** Go on to the next one of the list, which says what was done. */
function goOn(message, undo) {
  tellThere(message, undo);
  const next = document.getElementById("older") ?? document.getElementById("newer");
  location.assign(next ? next.href : document.getElementById("back").href);
}

/** Change its pictures; resolves to what reverts it, each picture to what it was, null where nothing was changed. */
async function change(values) {
  const { undo } = await send(visit.dataset.change, { ids: [id], ...values });
  return undo.length ? { url: visit.dataset.pictures, bodies: undo } : null;
}

async function review() {
  const wanted = !isReviewed();
  const undo = await change({ reviewed: wanted });
  const message = interpolate(wanted ? gettext("%(visit)s: marked as reviewed.") : gettext("%(visit)s: marked as unreviewed."), { visit: visit.dataset.name }, true);
  if (wanted) goOn(message, undo);
  else { tellThere(message, undo); location.reload(); }
}

async function flag(mark) {
  const undo = await change({ mark });
  goOn(interpolate(gettext("%(visit)s: flagged, %(mark)s."), { visit: visit.dataset.name, mark: MARKS[mark] }, true), undo);
}

async function remove() {
  if (!visit.dataset.delete) return; // owners only
  const { deletion } = await send(visit.dataset.delete, { ids: [id] });
  goOn(interpolate(gettext("%(visit)s: deleted; the bin keeps it for a day."), { visit: visit.dataset.name }, true), { url: visit.dataset.restore, body: { deletion } });
}

document.getElementById("reviewed").addEventListener("click", () => attempt(review()));
document.getElementById("flag").addEventListener("click", (event) => attempt(flag(event.target.dataset.mark)));
document.getElementById("remove")?.addEventListener("click", () => attempt(remove()));

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  switch (event.key) {
    case "ArrowLeft": follow("newer"); break;
    case "ArrowRight": follow("older"); break;
    case "r": attempt(review()); break;
    case "n": attempt(flag("not a person")); break;
    case "f": light(document.activeElement.closest("[data-light]") ?? document.querySelector("[data-light]")); break;
    case "Delete": attempt(remove()); break;
    case "Escape": follow("back"); break;
    default: return;
  }
  event.preventDefault();
});

// The list comes back to this visit, however one returns.
const keep = () => keepPlace("visits", visit.dataset.query, { id, timestamp: visit.dataset.timestamp });
keep();
addEventListener("pageshow", keep);

playInPlace(document.getElementById("picture"));
