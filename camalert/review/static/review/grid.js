// A list of visits or pictures: selecting, keys, touch, older ones on scrolling, new ones on their own.

import { MARKS, ask, attempt, isTyping, keepPlace, send, showToReview, takePlace, tellThere, toast } from "./ask.js";

const EVENT_GAP_S = 60;
const POLL_MS = 3000;
const LONG_PRESS_MS = 450;
const MAX_WATCHED = 250;
const MAX_STEPS = 30; // pages fetched to come back to a place; beyond that the list is opened at the place

const days = document.getElementById("days");
const form = document.getElementById("selected");
const shots = () => [...days.querySelectorAll(".shot")];
const box = (shot) => shot.querySelector("input");
const NOUN = days.dataset.noun;
const LEAVES = days.dataset.review === "new"; // what was reviewed leaves the list
const selected = () => shots().filter((shot) => box(shot).checked);
const seconds = (shot) => Date.parse(shot.dataset.timestamp.slice(0, 19).replace(" ", "T") + "Z") / 1000;

// --- selecting -------------------------------------------------------------------------------------------------------

function showSelection() {
  const count = selected().length;
  document.body.classList.toggle("selecting", count > 0);
  document.getElementById("count").textContent = count ? interpolate(ngettext("%(count)s selected", "%(count)s selected", count), { count }, true) : "";
  for (const all of days.querySelectorAll(".pick-all input")) {
    const own = [...all.closest(".day, .event").querySelectorAll(".shot input")];
    const chosen = own.filter((each) => each.checked).length;
    all.checked = chosen > 0 && chosen === own.length;
    all.indeterminate = chosen > 0 && chosen < own.length;
  }
}

function select(shot, isSelected) {
  box(shot).checked = isSelected;
  showSelection();
}

let lastSelected = null;
days.addEventListener("change", (event) => {
  if (event.target.matches(".pick-all input")) {
    for (const each of event.target.closest(".day, .event").querySelectorAll(".shot input")) each.checked = event.target.checked;
  }
  showSelection();
});
days.addEventListener("click", (event) => {
  const shot = event.target.closest(".shot");
  if (!shot) return;
  if (event.target.matches("input")) {
    if (event.shiftKey && lastSelected?.isConnected) {
      const all = shots();
      const [from, to] = [all.indexOf(lastSelected), all.indexOf(shot)].sort((a, b) => a - b);
      for (const other of all.slice(from, to + 1)) box(other).checked = event.target.checked;
    }
    lastSelected = shot;
    showSelection();
  } else if (document.body.classList.contains("selecting") && event.target.closest(".open") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault(); // while selecting, a tap selects
    select(shot, !box(shot).checked);
  }
});
function clearSelection() {
  for (const shot of selected()) box(shot).checked = false;
  showSelection();
}
form.addEventListener("reset", (event) => { event.preventDefault(); clearSelection(); });

let press = null;
days.addEventListener("pointerdown", (event) => {
  const shot = event.target.closest(".shot");
  if (!shot || event.pointerType === "mouse") return;
  press = setTimeout(() => {
    press = null;
    select(shot, !box(shot).checked);
    days.addEventListener("click", (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
  }, LONG_PRESS_MS);
});
for (const kind of ["pointerup", "pointercancel", "pointermove"]) {
  days.addEventListener(kind, (event) => {
    if (kind === "pointermove" && Math.hypot(event.movementX, event.movementY) < 4) return;
    clearTimeout(press);
  });
}
days.addEventListener("contextmenu", (event) => {
  if (event.pointerType === "touch" && event.target.closest(".shot")) event.preventDefault();
});

// --- actions ---------------------------------------------------------------------------------------------------------

function remove(shot) {
  const [event, day] = [shot.closest(".event"), shot.closest(".day")];
  shot.remove();
  if (!event.querySelector(".shot")) event.remove();
  if (!day.querySelector(".event")) day.remove();
  document.getElementById("empty").hidden = days.querySelector(".shot, .more") !== null;
}

const SAID = {
  picture: {
    reviewed: (count) => ngettext("%(count)s picture marked as reviewed.", "%(count)s pictures marked as reviewed.", count),
    unreviewed: (count) => ngettext("%(count)s picture marked as unreviewed.", "%(count)s pictures marked as unreviewed.", count),
    flagged: (count) => ngettext("%(count)s picture flagged: %(mark)s.", "%(count)s pictures flagged: %(mark)s.", count),
    deleted: (count) => ngettext("%(count)s picture deleted; the bin keeps it for a day.", "%(count)s pictures deleted; the bin keeps them for a day.", count),
    added: (count) => ngettext("%(count)s new picture", "%(count)s new pictures", count),
  },
  visit: {
    reviewed: (count) => ngettext("%(count)s visit marked as reviewed.", "%(count)s visits marked as reviewed.", count),
    unreviewed: (count) => ngettext("%(count)s visit marked as unreviewed.", "%(count)s visits marked as unreviewed.", count),
    flagged: (count) => ngettext("%(count)s visit flagged: %(mark)s.", "%(count)s visits flagged: %(mark)s.", count),
    deleted: (count) => ngettext("%(count)s visit deleted; the bin keeps it for a day.", "%(count)s visits deleted; the bin keeps them for a day.", count),
    added: (count) => ngettext("%(count)s new visit", "%(count)s new visits", count),
  },
};
/** Say what was done with some items, or what came. */
const say = (what, count, more = {}) => interpolate(SAID[NOUN][what](count), { count, ...more }, true);
const find = (id) => document.getElementById(`${days.dataset.album}-${id}`); // refreshed meanwhile, it is another element
const idsOf = (some) => some.map((shot) => Number(shot.dataset.id));
const isDone = (shot) => shot.classList.contains("done");

/** Return a copy of some items within their events and days, to be put back. */
function copied(some) {
  const piece = new DocumentFragment();
  for (const shot of some) {
    const [event, day] = [shot.closest(".event"), shot.closest(".day")];
    const [eventCopy, dayCopy] = [event.cloneNode(true), day.cloneNode(false)];
    for (const other of eventCopy.querySelectorAll(".shot")) if (other.id !== shot.id) other.remove();
    const events = day.querySelector(".events").cloneNode(false);
    events.append(eventCopy);
    dayCopy.append(day.querySelector("h2").cloneNode(true), events);
    piece.append(dayCopy);
  }
  return piece;
}

/** Give the focus to what follows some items; they may leave the page then. */
function goOn(some) {
  const all = shots();
  const last = all.indexOf(some.at(-1));
  const next = all.slice(last + 1).find((shot) => !some.includes(shot))
    ?? all.slice(0, last).findLast((shot) => !some.includes(shot));
  next?.querySelector(".open").focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** Take items out of the page; returns what puts them back. */
function takeOut(some) {
  const piece = copied(some);
  goOn(some);
  for (const shot of some) remove(shot);
  showSelection();
  return () => {
    for (const input of piece.querySelectorAll("input")) input.checked = false;
    document.getElementById("empty").hidden = true;
    merge(piece, false);
    showSelection();
  };
}

function showReviewed(ids, isReviewed) {
  for (const shot of ids.map(find)) {
    if (!shot) continue;
    shot.classList.toggle("done", isReviewed);
    shot.dataset.state = shot.dataset.state.replace(/\/(done|new)\//, isReviewed ? "/done/" : "/new/");
  }
}

/** Send a change of the items, show it, and return what takes it back. */
async function change(some, values) {
  const ids = idsOf(some);
  const before = some.map((shot) => ({ id: Number(shot.dataset.id), isDone: isDone(shot), mark: shot.dataset.state.split("/")[2] }));
  const answer = await send(days.dataset.change, { ids, ...values });
  if (answer.to_review !== undefined) showToReview(answer.to_review);
  const isReviewed = values.reviewed ?? true; // a mark is a review
  const putBack = LEAVES && isReviewed ? takeOut(some) : () => {};
  showReviewed(ids, isReviewed);
  if (!LEAVES && isReviewed) goOn(some);
  return async () => {
    if (answer.undo) { // a visit: only those of its pictures that were changed, each to what it was
      for (const body of answer.undo) await send(days.dataset.pictures, body);
    } else {
      for (const mark of "mark" in values ? new Set(before.map((each) => each.mark)) : []) {
        await send(days.dataset.change, { ids: before.filter((each) => each.mark === mark).map((each) => each.id), mark: mark || null });
      }
      for (const was of [true, false]) {
        const those = before.filter((each) => each.isDone === was).map((each) => each.id);
        if (those.length) await send(days.dataset.change, { ids: those, reviewed: was });
      }
    }
    putBack();
    for (const { id, isDone: wasDone } of before) showReviewed([id], wasDone);
    find(before[0].id)?.querySelector(".open").focus();
    await update().catch(() => {});
  };
}

async function markReviewed(some, isReviewed) {
  const others = some.filter((shot) => isDone(shot) !== isReviewed);
  if (!others.length) { goOn(some); return; }
  const undo = await change(others, { reviewed: isReviewed });
  toast(say(isReviewed ? "reviewed" : "unreviewed", others.length), undo);
}

async function flag(some, mark) {
  const undo = await change(some, { mark });
  toast(say("flagged", some.length, { mark: MARKS[mark] }), undo);
  await update().catch(() => {});
}

async function removeAll(some) {
  if (!days.dataset.delete) return; // owners only
  const { deleted, deletion, to_review: count } = await send(days.dataset.delete, { ids: idsOf(some) });
  if (count !== undefined) showToReview(count);
  const putBack = takeOut(some);
  toast(say("deleted", deleted), deletion && (async () => {
    const answer = await send(days.dataset.restore, { deletion });
    if (count !== undefined) showToReview(answer.to_review);
    putBack();
    find(idsOf(some)[0])?.querySelector(".open").focus();
  }));
}

form.addEventListener("submit", (event) => {
  const action = event.submitter?.value;
  if (action === "zip") return; // the browser takes the file
  event.preventDefault();
  const some = selected();
  if (action === "delete") attempt(removeAll(some));
  else if (action.endsWith("a person")) attempt(flag(some, action).then(clearSelection));
  else attempt(markReviewed(some, action === "reviewed").then(clearSelection));
});

// --- keys ------------------------------------------------------------------------------------------------------------

function beside(shot, key) {
  const all = shots();
  const index = all.indexOf(shot);
  if (key === "ArrowLeft") return all[index - 1];
  if (key === "ArrowRight") return all[index + 1];
  const here = shot.getBoundingClientRect();
  const middle = here.left + here.width / 2;
  const isUp = key === "ArrowUp";
  const others = isUp ? all.slice(0, index).reverse() : all.slice(index + 1);
  let found = null, row = null, best = Infinity;
  for (const other of others) {
    const there = other.getBoundingClientRect();
    if (isUp ? there.bottom > here.top + 1 : there.top < here.bottom - 1) continue;
    row ??= there.top;
    if (Math.abs(there.top - row) > there.height / 2) break;
    const distance = Math.abs(there.left + there.width / 2 - middle);
    if (distance < best) [found, best] = [other, distance];
  }
  return found;
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "a" && !event.target.closest("input:not([type=checkbox]), textarea, select, dialog")) {
    event.preventDefault();
    const all = shots();
    const isOn = all.some((shot) => !box(shot).checked);
    for (const shot of all) box(shot).checked = isOn;
    showSelection();
    return;
  }
  if (isTyping(event)) return;
  const shot = document.activeElement.closest?.(".shot");
  const some = selected().length ? selected() : shot ? [shot] : [];
  switch (event.key) {
    case "ArrowLeft": case "ArrowRight": case "ArrowUp": case "ArrowDown": {
      const next = shot ? beside(shot, event.key) : shots()[0];
      if (!next) return;
      next.querySelector(".open").focus();
      next.scrollIntoView({ block: "nearest" });
      break;
    }
    case " ":
      if (!shot || event.target.matches("input, button")) return;
      select(shot, !box(shot).checked);
      break;
    case "r":
      if (!some.length) return;
      attempt(markReviewed(some, some.some((one) => !isDone(one))).then(clearSelection));
      break;
    case "n":
      if (!some.length) return;
      attempt(flag(some, "not a person").then(clearSelection));
      break;
    case "Delete":
      if (!some.length) return;
      attempt(removeAll(some));
      break;
    case "Escape":
      clearSelection();
      break;
    case "?": {
      const help = document.getElementById("help");
      help.open = !help.open;
      if (help.open) help.scrollIntoView({ block: "nearest" });
      break;
    }
    default:
      return;
  }
  event.preventDefault();
});

// --- older and newer pictures ----------------------------------------------------------------------------------------

/** Merge days of another piece of the list into the page, so that no day and no event is split in two. */
function merge(piece, isNewer) {
  for (const shot of piece.querySelectorAll(".shot")) {
    if (document.getElementById(shot.id)) shot.remove(); // sent twice
    else if (isNewer) shot.classList.add("fresh");
  }
  for (const empty of [...piece.querySelectorAll(".event")]) if (!empty.querySelector(".shot")) empty.remove();
  for (const day of [...piece.querySelectorAll(".day")]) {
    const same = days.querySelector(`.day[data-day="${CSS.escape(day.dataset.day)}"]`);
    if (!same) {
      const later = [...days.querySelectorAll(".day")].find((other) => other.dataset.day < day.dataset.day);
      if (day.querySelector(".event")) days.insertBefore(day, later ?? days.querySelector(".more"));
      continue;
    }
    for (const event of [...day.querySelectorAll(".event")]) mergeEvent(event, same.querySelector(".events"));
  }
  const more = piece.querySelector(".more");
  if (more) days.append(more);
  watchEnd();
}

function parsed(html) {
  const piece = document.createElement("template");
  piece.innerHTML = html;
  return piece.content;
}

function mergeEvent(event, events) {
  const own = [...event.querySelectorAll(".shot")];
  const [newest, oldest] = [seconds(own[0]), seconds(own.at(-1))];
  for (const other of event.classList.contains("visit") ? [] : events.querySelectorAll(".event")) {
    if (other.dataset.camera !== event.dataset.camera) continue;
    const there = [...other.querySelectorAll(".shot")];
    if (oldest - seconds(there[0]) <= EVENT_GAP_S && seconds(there.at(-1)) - newest <= EVENT_GAP_S) {
      const all = [...own, ...there].sort((a, b) => seconds(b) - seconds(a) || b.dataset.id - a.dataset.id);
      other.querySelector(".shots").append(...all);
      return;
    }
  }
  const later = [...events.children].find((other) => seconds(other.querySelector(".shot")) < newest);
  events.insertBefore(event, later ?? null);
}

/** Fetch the next piece of the list; resolves to whether there was one. */
async function loadOlder() {
  const more = days.querySelector(".more");
  const link = more?.querySelector("a");
  if (!link || link.dataset.loading) return false;
  link.dataset.loading = "yes";
  try {
    const response = await ask(link.dataset.more);
    if (!response.ok) throw new Error();
    const html = await response.text();
    more.remove();
    merge(parsed(html), false);
    return true;
  } catch {
    delete link.dataset.loading; // the link itself still works
    end.unobserve(more);
    return false;
  }
}

const end = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting) && !isReturning) loadOlder();
}, { rootMargin: "1200px" });

function watchEnd() {
  const more = days.querySelector(".more");
  if (more) end.observe(more);
}

// --- back to the last picture ----------------------------------------------------------------------------------------

let isReturning = false;

async function returnToPlace() {
  const place = takePlace(days.dataset.album, days.dataset.query);
  if (!place) return;
  isReturning = true;
  history.scrollRestoration = "manual";
  const isFartherDown = () => !(shots().at(-1)?.dataset.timestamp < place.timestamp);
  for (let step = 0; !find(place.id) && isFartherDown() && step < MAX_STEPS && await loadOlder(); step += 1);
  // Gone from the list, by a deletion or a filter: the next older one.
  const shot = find(place.id) ?? shots().find((other) => other.dataset.timestamp < place.timestamp);
  isReturning = false;
  if (shot) {
    shot.scrollIntoView({ block: "center" });
    shot.querySelector(".open").focus({ preventScroll: true });
  } else if (days.querySelector(".more")) {
    // Far down: a page of the list that begins with it.
    const query = new URLSearchParams(days.dataset.query);
    query.set("before", `${place.timestamp}~${place.id + 1}`);
    keepPlace(days.dataset.album, days.dataset.query, place);
    location.replace(`${location.pathname}?${query}`);
  }
  history.scrollRestoration = "auto";
  watchEnd();
}

days.addEventListener("click", (event) => {
  const shot = event.target.closest(".open")?.closest(".shot");
  if (!shot || event.defaultPrevented) return;
  keepPlace(days.dataset.album, days.dataset.query, { id: Number(shot.dataset.id), timestamp: shot.dataset.timestamp });
});
addEventListener("pageshow", returnToPlace);
watchEnd();

async function update() {
  const shown = shots().slice(0, MAX_WATCHED).map((shot) => `${shot.dataset.id}=${shot.dataset.state}`).join(",");
  const query = new URLSearchParams(days.dataset.query);
  query.set("after", days.dataset.newest);
  const response = await ask(`${days.dataset.live}?${query}`, {
    method: "POST",
    headers: { "Content-Type": "text/plain", "X-CSRFToken": document.body.dataset.csrf },
    body: shown,
  });
  if (!response.ok) throw new Error();
  const news = await response.json();
  days.dataset.newest = news.newest;
  for (const id of news.gone) {
    const shot = find(id);
    if (shot) remove(shot);
  }
  for (const [id, html] of Object.entries(news.changed)) {
    const old = find(id);
    const fresh = parsed(html).querySelector(".shot");
    if (!old || !fresh) continue;
    box(fresh).checked = box(old).checked;
    const hadFocus = old.contains(document.activeElement);
    const [oldImage, freshImage] = [old, fresh].map((shot) => shot.querySelector("img"));
    if (oldImage.src.split("&")[0] === freshImage.src) freshImage.replaceWith(oldImage); // no flicker: it is the same
    const isVisit = fresh.closest(".visit") !== null; // of which the words below the picture change as well
    (isVisit ? old.closest(".visit") : old).replaceWith(isVisit ? fresh.closest(".visit") : fresh);
    if (hadFocus) fresh.querySelector(".open").focus();
  }
  if (news.to_review !== undefined) showToReview(news.to_review);
  if (news.count) {
    document.getElementById("empty").hidden = true;
    merge(parsed(news.added), true);
    document.getElementById("live").textContent = say("added", news.count);
  }
  showSelection();
}

if (days.dataset.live) {
  let failures = 0;
  const turn = async () => {
    if (!document.hidden) {
      await update().then(() => { failures = 0; }, () => { failures += 1; });
    }
    setTimeout(turn, POLL_MS * Math.min(10, 2 ** failures));
  };
  setTimeout(turn, POLL_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) update().catch(() => {}); });
}

// --- filters ---------------------------------------------------------------------------------------------------------

const filters = document.getElementById("filters");
const filterButton = document.getElementById("filter-button"); // on a phone, where they would fill the screen
filterButton.addEventListener("click", () => {
  filterButton.setAttribute("aria-expanded", String(filters.classList.toggle("open")));
});
filters.addEventListener("change", (event) => {
  if (event.target.name === "day" && event.target.value === "" && event.target.validity.badInput) return;
  for (const field of filters.elements) if (field.name && !field.value) field.disabled = true; // short addresses
  filters.requestSubmit();
});
addEventListener("pageshow", () => {
  for (const field of filters.elements) field.disabled = false;
  showSelection();
});
async function reviewAll(reviewing) {
  const response = await ask(reviewing.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams(new FormData(reviewing)),
  });
  if (!response.ok) throw new Error(interpolate(gettext("camalert answers %(status)s; nothing was changed."), { status: response.status }, true));
  const { message, pictures } = await response.json();
  const url = days.dataset.pictures ?? days.dataset.change;
  tellThere(message, pictures.length ? { url, body: { ids: pictures, reviewed: false } } : null);
  location.reload();
}

document.getElementById("review-all")?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(reviewAll(event.target));
});
showSelection();
