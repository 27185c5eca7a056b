// The grid: choosing, keys, touch, older pictures by scrolling, new ones by themselves.

import { confirmDelete, isTyping, send, tell } from "./ask.js";

const EVENT_GAP_S = 60;
const POLL_MS = 3000;
const LONG_PRESS_MS = 450;
const MAX_WATCHED = 250;

const days = document.getElementById("days");
const form = document.getElementById("chosen");
const shots = () => [...days.querySelectorAll(".shot")];
const box = (shot) => shot.querySelector("input");
const chosen = () => shots().filter((shot) => box(shot).checked);
const seconds = (shot) => Date.parse(shot.dataset.timestamp.slice(0, 19).replace(" ", "T") + "Z") / 1000;

// --- choosing --------------------------------------------------------------------------------------------------------

function showChoice() {
  const count = chosen().length;
  document.body.classList.toggle("choosing", count > 0);
  document.getElementById("count").textContent = count ? `${count} chosen` : "";
}

function choose(shot, isChosen) {
  box(shot).checked = isChosen;
  showChoice();
}

let lastChosen = null;
days.addEventListener("change", showChoice);
days.addEventListener("click", (event) => {
  const shot = event.target.closest(".shot");
  if (!shot) return;
  if (event.target.matches("input")) {
    if (event.shiftKey && lastChosen?.isConnected) {
      const all = shots();
      const [from, to] = [all.indexOf(lastChosen), all.indexOf(shot)].sort((a, b) => a - b);
      for (const other of all.slice(from, to + 1)) box(other).checked = event.target.checked;
    }
    lastChosen = shot;
    showChoice();
  } else if (document.body.classList.contains("choosing") && event.target.closest(".open") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault(); // while choosing, a tap chooses
    choose(shot, !box(shot).checked);
  }
});
function chooseNone() {
  for (const shot of chosen()) box(shot).checked = false;
  showChoice();
}
form.addEventListener("reset", (event) => { event.preventDefault(); chooseNone(); });

let press = null;
days.addEventListener("pointerdown", (event) => {
  const shot = event.target.closest(".shot");
  if (!shot || event.pointerType === "mouse") return;
  press = setTimeout(() => {
    press = null;
    choose(shot, !box(shot).checked);
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

// --- what is done with them ------------------------------------------------------------------------------------------

function remove(shot) {
  const [event, day] = [shot.closest(".event"), shot.closest(".day")];
  shot.remove();
  if (!event.querySelector(".shot")) event.remove();
  if (!day.querySelector(".event")) day.remove();
  document.getElementById("empty").hidden = days.querySelector(".shot, .more") !== null;
}

async function markReviewed(some, isReviewed) {
  const ids = some.map((shot) => Number(shot.dataset.id));
  await send(days.dataset.change, { ids, reviewed: isReviewed });
  for (const shot of some) {
    shot.classList.toggle("done", isReviewed);
    shot.dataset.state = shot.dataset.state.replace(/\/(done|new)\//, isReviewed ? "/done/" : "/new/");
  }
}

async function removeAll(some) {
  if (!(await confirmDelete(some.length))) return;
  const after = shots().slice(shots().indexOf(some.at(-1)) + 1).find((shot) => !some.includes(shot));
  const ids = some.map((shot) => Number(shot.dataset.id));
  const { deleted } = await send(days.dataset.delete, { ids });
  for (const shot of some) remove(shot);
  tell(`${deleted} picture${deleted === 1 ? "" : "s"} deleted.`);
  showChoice();
  (after ?? shots().at(-1))?.querySelector(".open").focus();
}

const attempt = (work) => work.catch((error) => tell(error.message, "error"));

form.addEventListener("submit", (event) => {
  const action = event.submitter?.value;
  if (action === "zip") return; // the browser takes the file
  event.preventDefault();
  const some = chosen();
  if (action === "delete") attempt(removeAll(some));
  else attempt(markReviewed(some, action === "reviewed").then(() => { chooseNone(); tell(`${some.length} marked.`); }));
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
  if (isTyping(event)) return;
  const shot = document.activeElement.closest?.(".shot");
  const some = chosen().length ? chosen() : shot ? [shot] : [];
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
      choose(shot, !box(shot).checked);
      break;
    case "r":
      if (!some.length) return;
      attempt(markReviewed(some, some.some((one) => !one.classList.contains("done"))));
      break;
    case "Delete":
      if (!some.length) return;
      attempt(removeAll(some));
      break;
    case "Escape":
      chooseNone();
      break;
    default:
      return;
  }
  event.preventDefault();
});

// --- older and newer pictures ----------------------------------------------------------------------------------------

/** Merge days of another piece of the list into the page, so that no day and no event is split in two. */
function merge(html, isNewer) {
  const piece = document.createElement("template");
  piece.innerHTML = html;
  for (const shot of piece.content.querySelectorAll(".shot")) {
    if (document.getElementById(shot.id)) shot.remove(); // told twice
    else if (isNewer) shot.classList.add("fresh");
  }
  for (const empty of [...piece.content.querySelectorAll(".event")]) if (!empty.querySelector(".shot")) empty.remove();
  for (const day of [...piece.content.querySelectorAll(".day")]) {
    const same = days.querySelector(`.day[data-day="${CSS.escape(day.dataset.day)}"]`);
    if (!same) {
      const later = [...days.querySelectorAll(".day")].find((other) => other.dataset.day < day.dataset.day);
      if (day.querySelector(".event")) days.insertBefore(day, later ?? days.querySelector(".more"));
      continue;
    }
    for (const event of [...day.querySelectorAll(".event")]) mergeEvent(event, same.querySelector(".events"), isNewer);
  }
  const more = piece.content.querySelector(".more");
  if (more) days.append(more);
  watchEnd();
}

function mergeEvent(event, events, isNewer) {
  const own = [...event.querySelectorAll(".shot")];
  const [newest, oldest] = [seconds(own[0]), seconds(own.at(-1))];
  for (const other of events.querySelectorAll(".event")) {
    if (other.dataset.camera !== event.dataset.camera) continue;
    const there = [...other.querySelectorAll(".shot")];
    if (oldest - seconds(there[0]) <= EVENT_GAP_S && seconds(there.at(-1)) - newest <= EVENT_GAP_S) {
      const all = [...own, ...there].sort((a, b) => seconds(b) - seconds(a) || b.dataset.id - a.dataset.id);
      other.querySelector(".shots").append(...all);
      return;
    }
  }
  if (isNewer) {
    const later = [...events.children].find((other) => seconds(other.querySelector(".shot")) < newest);
    events.insertBefore(event, later ?? null);
  } else {
    events.append(event);
  }
}

const end = new IntersectionObserver(async (entries) => {
  const entry = entries.find((one) => one.isIntersecting);
  const link = entry?.target.querySelector("a");
  if (!link || link.dataset.loading) return;
  link.dataset.loading = "yes";
  try {
    const response = await fetch(link.dataset.more);
    if (!response.ok) throw new Error();
    const html = await response.text();
    link.closest(".more").remove();
    merge(html, false);
  } catch {
    delete link.dataset.loading; // the link itself still works
    end.unobserve(entry.target);
  }
}, { rootMargin: "1200px" });

function watchEnd() {
  const more = days.querySelector(".more");
  if (more) end.observe(more);
}
watchEnd();

async function look() {
  const shown = shots().slice(0, MAX_WATCHED).map((shot) => `${shot.dataset.id}=${shot.dataset.state}`).join(",");
  const query = new URLSearchParams(days.dataset.query);
  query.set("after", days.dataset.newest);
  const response = await fetch(`${days.dataset.live}?${query}`, {
    method: "POST",
    headers: { "Content-Type": "text/plain", "X-CSRFToken": document.body.dataset.csrf },
    body: shown,
  });
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error();
  const news = await response.json();
  days.dataset.newest = news.newest;
  for (const id of news.gone) {
    const shot = document.getElementById(`${days.dataset.album}-${id}`);
    if (shot) remove(shot);
  }
  for (const [id, html] of Object.entries(news.changed)) {
    const old = document.getElementById(`${days.dataset.album}-${id}`);
    const piece = document.createElement("template");
    piece.innerHTML = html;
    const fresh = piece.content.querySelector(".shot");
    if (!old || !fresh) continue;
    box(fresh).checked = box(old).checked;
    const hadFocus = old.contains(document.activeElement);
    fresh.querySelector("img").replaceWith(old.querySelector("img")); // no flicker: the picture is the same
    old.replaceWith(fresh);
    if (hadFocus) fresh.querySelector(".open").focus();
  }
  if (news.count) {
    document.getElementById("empty").hidden = true;
    merge(news.added, true);
    document.getElementById("live").textContent = `${news.count} new picture${news.count === 1 ? "" : "s"}`;
  }
  showChoice();
}

if (days.dataset.live) {
  let failures = 0;
  const turn = async () => {
    if (!document.hidden) {
      await look().then(() => { failures = 0; }, () => { failures += 1; });
    }
    setTimeout(turn, POLL_MS * Math.min(10, 2 ** failures));
  };
  setTimeout(turn, POLL_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look().catch(() => {}); });
}

// --- filters ---------------------------------------------------------------------------------------------------------

const filters = document.getElementById("filters");
filters.addEventListener("change", (event) => {
  if (event.target.name === "day" && event.target.value === "" && event.target.validity.badInput) return;
  for (const field of filters.elements) if (field.name && !field.value) field.disabled = true; // short addresses
  filters.requestSubmit();
});
addEventListener("pageshow", () => {
  for (const field of filters.elements) field.disabled = false;
  showChoice();
});
document.getElementById("review-all").addEventListener("submit", (event) => {
  if (!confirm("Mark all of these pictures as reviewed?")) event.preventDefault();
});
showChoice();
