// The day at a glance and the scrubber: they lead to a place in the list below, in the page where it is loaded, else by
// their addresses. Items of the list have data-timestamp (local) and, on themselves or around them, data-camera.

import { LANGUAGE, ask } from "./ask.js";

const REFRESH_MS = 60_000;
const SHOWN_MS = 1800; // the scrubber on a phone, after scrolling
const FEWEST_DAYS = 3;

const glance = document.getElementById("glance");
const items = () => [...document.querySelectorAll("main [data-timestamp]")];
const cameraOf = (item) => item.closest("[data-camera]")?.dataset.camera ?? "";
const same = (a, b) => a.trim().replace(/\s+/g, " ").toLowerCase() === b.trim().replace(/\s+/g, " ").toLowerCase();

/** Go to the newest item before a moment, of one camera or of all; true when it is in the page. */
function jump(since, until, camera) {
  const all = items();
  const query = new URLSearchParams(glance.dataset.query);
  const beginsAtNewest = !["until", "day", "since"].some((name) => query.has(name)) && !new URLSearchParams(location.search).has("before");
  if (!all.length || !(beginsAtNewest || all[0].dataset.timestamp >= until)) return false;
  const own = all.filter((item) => item.dataset.timestamp < until && (!camera || same(cameraOf(item), camera)));
  // A visit that goes on in this hour began before; without one in it, what is near will do when all of it is loaded.
  const found = own[0];
  if (!found || (found.dataset.timestamp < since && !all.some((item) => item.dataset.timestamp < since))) return false;
  found.scrollIntoView({ block: "center" });
  found.classList.remove("fresh");
  requestAnimationFrame(() => found.classList.add("fresh"));
  (found.matches("a, button") ? found : found.querySelector("a.open, a") ?? found).focus({ preventScroll: true });
  return true;
}

// A phone shows pictures first; what was there is said in the line above.
if (matchMedia("(max-width: 40rem)").matches && glance.querySelector(".hourly")) glance.querySelector(".hourly").open = false;

// --- the strip -------------------------------------------------------------------------------------------------------

const cells = () => [...glance.querySelectorAll(".hours a")];

const cameraOfCell = (cell) => cell.closest("svg").dataset.camera;

/** One stop for the Tab key; the arrows go on from there. */
function rove(current = cells()[0]) {
  for (const cell of cells()) cell.setAttribute("tabindex", cell === current ? "0" : "-1");
}

function beside(cell, key) {
  const all = cells();
  const index = all.indexOf(cell);
  if (key === "ArrowLeft") return all[index - 1];
  if (key === "ArrowRight") return all[index + 1];
  const rows = [...glance.querySelectorAll(".hours svg")];
  const row = rows[rows.indexOf(cell.closest("svg")) + (key === "ArrowUp" ? -1 : 1)];
  if (!row) return null;
  const hour = (one) => Number(one.dataset.since.slice(11, 13));
  return [...row.querySelectorAll("a")].sort((a, b) => Math.abs(hour(a) - hour(cell)) - Math.abs(hour(b) - hour(cell)))[0];
}

/** Show another day or month in the strip; the list stays where it is. */
async function show(changes) {
  const query = new URLSearchParams(glance.dataset.query);
  query.set("list", glance.dataset.list);
  for (const [name, value] of Object.entries({ strip: glance.dataset.strip ?? "", ...changes })) if (value) query.set(name, value);
  const response = await ask(`${glance.dataset.fragment}?${query}`);
  if (!response.ok) return;
  const html = await response.text();
  const focused = document.activeElement;
  const place = glance.contains(focused) ? [focused.getAttribute("rel"), focused.dataset.since, focused.closest("svg")?.dataset.camera, focused.dataset.month && focused.getAttribute("aria-label")] : null;
  const isClosed = glance.querySelector(".hourly")?.open === false;
  const isTableOpen = glance.querySelector(".table")?.open;
  glance.innerHTML = html;
  if (changes.strip) glance.dataset.strip = changes.strip;
  if (isTableOpen && glance.querySelector(".table")) glance.querySelector(".table").open = true;
  if (isClosed && glance.querySelector(".hourly")) glance.querySelector(".hourly").open = false;
  rove();
  if (!place) return;
  const [rel, since, camera, label] = place;
  const again = rel ? glance.querySelector(`[rel="${rel}"]`)
    : since ? cells().find((cell) => cell.dataset.since === since && cameraOfCell(cell) === camera)
      : label ? glance.querySelector(`[aria-label="${CSS.escape(label)}"]`) : null;
  (again ?? glance.querySelector("header a"))?.focus({ preventScroll: true });
}

glance.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const { strip, month, since, day } = link.dataset;
  if (strip || month) {
    event.preventDefault();
    show(month ? { month } : { strip }).catch(() => { location.href = link.href; });
  } else if (since && jump(since, `${since.slice(0, 11)}${String(Number(since.slice(11, 13)) + 1).padStart(2, "0")}`, cameraOfCell(link))) {
    event.preventDefault();
  } else if (day && jump(day, `${day} 24`, "")) {
    event.preventDefault();
    glance.querySelector(".calendar").open = false;
    show({ strip: day }).catch(() => {});
  }
});

glance.addEventListener("keydown", (event) => {
  const cell = event.target.closest(".hours a");
  if (event.key === "Escape" && glance.querySelector(".calendar")?.open) {
    glance.querySelector(".calendar").open = false;
    glance.querySelector(".calendar summary").focus();
  } else if (cell && event.key.startsWith("Arrow")) {
    const next = beside(cell, event.key);
    if (next) { rove(next); next.focus(); }
    event.preventDefault();
  } else if (event.key !== "Enter" && event.key !== " ") {
    return;
  }
  event.stopPropagation(); // the list below has keys of its own
});
document.addEventListener("click", (event) => {
  const calendar = glance.querySelector(".calendar");
  if (calendar?.open && event.target.isConnected && !calendar.contains(event.target)) calendar.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  document.getElementById("search").focus();
});
rove();
setInterval(() => {
  if (!document.hidden && !glance.contains(document.activeElement) && !glance.querySelector(".calendar[open], .table[open]")) show({}).catch(() => {});
}, REFRESH_MS);

// --- the scrubber ----------------------------------------------------------------------------------------------------

const monthName = (day, form) => new Intl.DateTimeFormat(LANGUAGE, form).format(new Date(`${day}T12:00`));

function makeScrubber(days) {
  const bar = document.createElement("nav");
  bar.className = "scrubber";
  bar.setAttribute("aria-label", gettext("Months"));
  const at = (day) => 100 * days.findIndex((each) => each <= day) / Math.max(1, days.length - 1);
  const address = (day) => {
    const query = new URLSearchParams(glance.dataset.query);
    for (const name of ["day", "since", "until", "asked"]) query.delete(name);
    const next = new Date(`${day}T12:00`);
    next.setDate(next.getDate() + 1);
    query.set("until", `${next.getFullYear()}-${String(next.getMonth() + 1).padStart(2, "0")}-${String(next.getDate()).padStart(2, "0")} 00:00`);
    return `${location.pathname}?${query}`;
  };
  const months = days.filter((day, index) => day.slice(0, 7) !== days[index - 1]?.slice(0, 7));
  for (const day of months) {
    const link = document.createElement("a");
    link.href = address(day);
    link.dataset.day = day;
    link.style.top = `${at(day)}%`;
    const name = document.createElement("span");
    name.textContent = monthName(day, { month: "long", year: "numeric" });
    link.setAttribute("aria-label", name.textContent);
    link.append(name);
    bar.append(link);
  }
  const here = document.createElement("div");
  here.className = "here";
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  bubble.hidden = true;
  bar.append(here, bubble);
  document.body.append(bar);

  const go = (day) => { if (!jump(day, `${day} 24`, "")) location.href = address(day); };
  const dayAt = (y) => {
    const box = bar.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (y - box.top) / box.height));
    return days[Math.round(share * (days.length - 1))];
  };
  const point = (y) => {
    const day = dayAt(y);
    bubble.hidden = false;
    bubble.textContent = monthName(day, { weekday: "short", day: "numeric", month: "long", year: "numeric" });
    bubble.style.top = here.style.top = `${at(day)}%`;
    return day;
  };

  let isDragging = false;
  bar.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    isDragging = true;
    bar.setPointerCapture(event.pointerId);
    point(event.clientY);
    event.preventDefault();
  });
  bar.addEventListener("pointermove", (event) => { if (isDragging) point(event.clientY); });
  bar.addEventListener("pointerup", (event) => {
    if (!isDragging) return;
    isDragging = false;
    bubble.hidden = true;
    go(dayAt(event.clientY));
  });
  bar.addEventListener("pointercancel", () => { isDragging = false; bubble.hidden = true; });
  bar.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault(); // of the pointer, `pointerup` has done it
    if (event.detail === 0) go(link.dataset.day);
  });

  let hiding = null;
  let isPlaced = false;
  const place = () => {
    isPlaced = false;
    const top = items().find((item) => item.getBoundingClientRect().bottom > 80);
    if (top && !isDragging) here.style.top = `${Math.max(0, at(top.dataset.timestamp.slice(0, 10)))}%`;
  };
  addEventListener("scroll", () => {
    if (!isPlaced) requestAnimationFrame(place);
    isPlaced = true;
    bar.classList.add("shown");
    clearTimeout(hiding);
    hiding = setTimeout(() => { if (!isDragging) bar.classList.remove("shown"); }, SHOWN_MS);
  }, { passive: true });
  place();
}

async function scrubber() {
  const query = new URLSearchParams(glance.dataset.query);
  if (query.has("day") || query.has("since")) return; // a list of its own, that ends soon
  const asked = new URLSearchParams({ list: glance.dataset.list });
  if (query.has("camera")) asked.set("camera", query.get("camera"));
  const response = await ask(`${glance.dataset.days}?${asked}`);
  if (!response.ok) return;
  const { days } = await response.json();
  if (days.length >= FEWEST_DAYS) makeScrubber(days);
}
scrubber().catch(() => {});
