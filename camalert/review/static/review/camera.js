// One camera's settings, drawn on its last picture: areas and heights by mouse, touch and keys; at once what they would
// have meant.

import { LANGUAGE, MARKS, send } from "./ask.js";
import { applyWithUndo } from "./applying.js";

const SVG = "http://www.w3.org/2000/svg";
const CORNERS = { least: 3, most: 64 };
const TRY_AFTER_MS = 250;
const SMALLEST_X = 12; // percent, where the two measures stand
const LARGEST_X = 86;
const FLOOR_Y = 98;

const form = document.getElementById("settings");
const drawing = document.getElementById("drawing");
const overlay = document.getElementById("overlay");
const handles = document.getElementById("handles");
const list = document.getElementById("areas");
const field = (id) => document.getElementById(id);
const fixed = new Set(form.dataset.fixed.split(" ").filter(Boolean));
const isOwner = form.dataset.owner === "true";
const KEYS = { examine: "examine", threshold: "threshold", "own-threshold": "threshold", min: "min_person_height_percent", max: "max_person_height_percent", effort: "effort" };
for (const [id, key] of Object.entries(KEYS)) if (fixed.has(key)) field(id).disabled = true;
const areasFixed = fixed.has("area");
for (const id of ["add-ignore", "add-watch"]) field(id).disabled = areasFixed;

const clamp = (value, low = 0, high = 100) => Math.min(high, Math.max(low, value));
const round = (value) => Math.round(value * 10) / 10;

function parse(points) {
  return points.split(/\s+/).filter(Boolean).map((pair) => pair.split(",").map(Number));
}

function readAreas() {
  return [...list.querySelectorAll("li[data-points]")].map((item) => ({ name: item.dataset.name, rule: item.dataset.rule, points: parse(item.dataset.points) }));
}

const original = { areas: readAreas(), fields: Object.fromEntries(Object.keys(KEYS).map((id) => [id, field(id).type === "checkbox" ? field(id).checked : field(id).value])) };
let areas = structuredClone(original.areas);
let feet = [];
let chosen = -1; // the area whose corners are shown

// --- what is sent ----------------------------------------------------------------------------------------------------

const number = (id, otherwise) => (field(id).value === "" ? otherwise : clamp(Number(field(id).value)));

/** The settings as a block: null is the default, and what is fixed elsewhere is left out. */
function block() {
  const all = {
    examine: field("examine").checked ? null : false,
    threshold: field("own-threshold").checked ? Number(field("threshold").value) / 100 : null,
    effort: field("effort").value || null,
    min_person_height_percent: number("min", 0) || null,
    max_person_height_percent: number("max", 100) === 100 ? null : number("max", 100),
    area: areas.length ? areas.map(({ name, rule, points }) => ({ name, rule, points: points.map((point) => point.map(round).join(",")).join(" ") })) : null,
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => !fixed.has(key)));
}

// --- what it would have meant ----------------------------------------------------------------------------------------

let waiting = null;
let asked = 0;

function tryLater() {
  clearTimeout(waiting);
  waiting = setTimeout(tryNow, TRY_AFTER_MS);
}

async function tryNow() {
  const turn = asked += 1;
  const sentence = field("sentence");
  try {
    const effect = await send(form.dataset.preview, block());
    if (turn !== asked) return; // a later question is under way
    sentence.textContent = effect.sentence;
    field("short").textContent = interpolate(effect.after === effect.before ? gettext("%(after)s of %(pictures)s pictures count") : gettext("%(after)s of %(pictures)s pictures count instead of %(before)s"), effect, true);
    feet = effect.feet;
    showExamples(effect);
    draw();
  } catch (error) {
    if (turn === asked) sentence.textContent = error.message;
  }
}

function showExamples(effect) {
  const parts = [["going", gettext("Would not count any more")], ["coming", gettext("Would count in addition")]].filter(([name]) => effect[name].count).map(([name, title]) => {
    const part = document.createElement("div");
    const head = document.createElement("h3");
    head.textContent = `${title}: ${effect[name].count}`;
    const shown = document.createElement("ul");
    shown.className = "examples";
    for (const example of effect[name].examples) {
      const link = document.createElement("a");
      link.href = example.page;
      link.setAttribute("aria-label", `${interpolate(gettext("Alarm %(id)s, score %(percent)s %"), { ...example }, true)}${example.mark ? `, ${MARKS[example.mark]}` : ""}`);
      const image = document.createElement("img");
      image.src = example.thumbnail;
      image.alt = "";
      image.loading = "lazy";
      image.width = 120;
      image.height = 75;
      const caption = document.createElement("span");
      caption.textContent = `${example.percent} %${example.mark ? ` · ${MARKS[example.mark]}` : ""}`;
      if (example.mark) caption.className = "marked";
      link.append(image, caption);
      const item = document.createElement("li");
      item.append(link);
      shown.append(item);
    }
    part.append(head, shown);
    return part;
  });
  field("examples").replaceChildren(...parts);
}

// --- the drawing -----------------------------------------------------------------------------------------------------

function shape(name, facts, parent = overlay) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

/** How wide the picture is, as a multiple of its height. */
function aspect() {
  const box = drawing.getBoundingClientRect();
  return box.height ? box.width / box.height : 16 / 9;
}

function draw() {
  const wide = 100 * aspect();
  overlay.setAttribute("viewBox", `0 0 ${wide} 100`);
  overlay.replaceChildren();
  const x = (percent) => (percent * wide) / 100;
  areas.forEach((area, index) => {
    const polygon = shape("polygon", { points: area.points.map((point) => `${x(point[0])},${point[1]}`).join(" "), class: `area ${area.rule}${index === chosen ? " chosen" : ""}` });
    if (!areasFixed) polygon.addEventListener("pointerdown", (event) => { choose(index); dragArea(event, index); });
  });
  for (const foot of feet) shape("circle", { cx: x(foot.x), cy: foot.y, r: 0.9, class: `foot ${foot.false ? "false" : foot.counts ? "counts" : "not"}` });
  for (const [id, at, name] of [["min", SMALLEST_X, "smallest"], ["max", LARGEST_X, "largest"]]) {
    const tall = number(id, id === "min" ? 0 : 100);
    shape("rect", { x: x(at) - tall * 0.18, y: FLOOR_Y - tall * 0.98, width: tall * 0.36, height: tall * 0.98, rx: Math.min(4, tall * 0.15), class: `size ${name}` });
  }
  place();
}

/** Put the handles where their points are; they stay the same elements while they are dragged, and keep the focus. */
function place() {
  const wanted = [];
  for (const [id, at, text] of [["min", SMALLEST_X, gettext("Smallest person")], ["max", LARGEST_X, gettext("Largest person")]]) {
    const tall = number(id, id === "min" ? 0 : 100);
    wanted.push({ key: id, x: at, y: FLOOR_Y - tall * 0.98, kind: "measure", label: text, tall, id });
  }
  if (areas[chosen] && !areasFixed) {
    const { points, name } = areas[chosen];
    points.forEach(([px, py], corner) => wanted.push({ key: `corner-${corner}`, x: px, y: py, kind: "corner", corner, label: interpolate(gettext("Corner %(number)s of %(area)s: %(across)s % across, %(down)s % down"), { number: corner + 1, area: name || gettext("the area"), across: round(px).toLocaleString(LANGUAGE), down: round(py).toLocaleString(LANGUAGE) }, true) }));
    if (points.length < CORNERS.most) {
      points.forEach(([px, py], corner) => {
        const [qx, qy] = points[(corner + 1) % points.length];
        wanted.push({ key: `between-${corner}`, x: (px + qx) / 2, y: (py + qy) / 2, kind: "between", corner, label: interpolate(gettext("Add a corner after corner %(number)s"), { number: corner + 1 }, true) });
      });
    }
  }
  const before = new Map([...handles.children].map((handle) => [handle.dataset.key, handle]));
  for (const each of wanted) {
    const handle = before.get(each.key) ?? makeHandle(each);
    before.delete(each.key);
    handle.style.left = `${each.x}%`;
    handle.style.top = `${each.y}%`;
    handle.setAttribute("aria-label", each.kind === "measure" ? each.label : each.label);
    if (each.kind === "measure") {
      handle.setAttribute("aria-valuenow", Math.round(each.tall));
      handle.setAttribute("aria-valuetext", interpolate(gettext("%(percent)s % of the picture's height"), { percent: Math.round(each.tall) }, true));
    }
  }
  for (const gone of before.values()) gone.remove();
}

function makeHandle(each) {
  const handle = document.createElement(each.kind === "measure" ? "div" : "button");
  handle.dataset.key = each.key;
  handle.className = `handle ${each.kind}`;
  if (each.kind === "measure") {
    Object.entries({ role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "vertical" }).forEach(([name, value]) => handle.setAttribute(name, value));
    if (field(each.id).disabled) { handle.setAttribute("aria-disabled", "true"); handle.tabIndex = -1; }
    handle.addEventListener("pointerdown", (event) => drag(event, ({ y }) => setMeasure(each.id, (FLOOR_Y - y) / 0.98)));
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!step) return;
      event.preventDefault();
      setMeasure(each.id, number(each.id, each.id === "min" ? 0 : 100) + step);
    });
  } else {
    handle.type = "button";
    if (each.kind === "between") {
      handle.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        addCorner(each.corner);
        handles.querySelector(`[data-key="corner-${each.corner + 1}"]`).dispatchEvent(new PointerEvent("pointerdown", event));
      });
      handle.addEventListener("click", (event) => { if (event.detail === 0) addCorner(each.corner); }); // by a key
    } else {
      handle.addEventListener("pointerdown", (event) => drag(event, ({ x, y }) => moveCorner(each.corner, x, y)));
      handle.addEventListener("keydown", (event) => cornerKey(event, each.corner));
    }
  }
  handles.append(handle);
  return handle;
}

/** Follow a pointer until it is let go. */
function drag(event, move) {
  if (event.button > 0) return;
  event.preventDefault();
  event.currentTarget.focus?.();
  const follow = (moved) => {
    const box = drawing.getBoundingClientRect();
    move({ x: clamp((100 * (moved.clientX - box.left)) / box.width), y: clamp((100 * (moved.clientY - box.top)) / box.height) });
  };
  const stop = () => {
    removeEventListener("pointermove", follow);
    removeEventListener("pointerup", stop);
    removeEventListener("pointercancel", stop);
  };
  addEventListener("pointermove", follow);
  addEventListener("pointerup", stop);
  addEventListener("pointercancel", stop);
}

function dragArea(event, index) {
  const box = drawing.getBoundingClientRect();
  const from = { x: (100 * (event.clientX - box.left)) / box.width, y: (100 * (event.clientY - box.top)) / box.height };
  const start = structuredClone(areas[index].points);
  drag(event, ({ x, y }) => moveArea(index, start, x - from.x, y - from.y));
}

function moveArea(index, start, right, down) {
  const across = start.map((point) => point[0]);
  const along = start.map((point) => point[1]);
  const dx = clamp(right, -Math.min(...across), 100 - Math.max(...across));
  const dy = clamp(down, -Math.min(...along), 100 - Math.max(...along));
  areas[index].points = start.map(([px, py]) => [px + dx, py + dy]);
  changed();
}

function moveCorner(corner, x, y) {
  areas[chosen].points[corner] = [x, y];
  changed();
}

function addCorner(after) {
  const { points } = areas[chosen];
  if (points.length >= CORNERS.most) return;
  const [px, py] = points[after];
  const [qx, qy] = points[(after + 1) % points.length];
  points.splice(after + 1, 0, [(px + qx) / 2, (py + qy) / 2]);
  changed();
  handles.querySelector(`[data-key="corner-${after + 1}"]`).focus();
}

function cornerKey(event, corner) {
  const { points } = areas[chosen];
  const far = event.shiftKey ? 5 : 1;
  const step = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }[event.key];
  if (step) {
    event.preventDefault();
    if (event.altKey) moveArea(chosen, structuredClone(points), ...step);
    else moveCorner(corner, clamp(points[corner][0] + step[0]), clamp(points[corner][1] + step[1]));
  } else if (event.key === "Delete" && points.length > CORNERS.least) {
    event.preventDefault();
    points.splice(corner, 1);
    changed();
    handles.querySelector(`[data-key="corner-${Math.min(corner, points.length - 1)}"]`)?.focus();
  } else if (event.key === "+") {
    event.preventDefault();
    addCorner(corner);
  }
}

function setMeasure(id, value) {
  if (field(id).disabled) return;
  field(id).value = Math.round(clamp(value));
  changed();
}

// --- the list of areas -----------------------------------------------------------------------------------------------

function choose(index) {
  chosen = index;
  for (const [number_, item] of [...list.children].entries()) item.classList.toggle("chosen", number_ === index);
  draw();
}

function listAreas() {
  list.replaceChildren(...areas.map((area, index) => {
    const item = document.createElement("li");
    const name = document.createElement("input");
    name.type = "text";
    name.value = area.name;
    name.maxLength = 60;
    name.setAttribute("aria-label", interpolate(gettext("Name of area %(number)s"), { number: index + 1 }, true));
    name.placeholder = gettext("name");
    name.addEventListener("input", () => { area.name = name.value; });
    const rule = document.createElement("select");
    rule.setAttribute("aria-label", interpolate(gettext("What area %(number)s is for"), { number: index + 1 }, true));
    for (const [value, text] of [["ignore", gettext("ignored")], ["watch", gettext("watched alone")]]) rule.add(new Option(text, value, false, value === area.rule));
    rule.addEventListener("change", () => { area.rule = rule.value; changed(); });
    const corners = document.createElement("button");
    corners.type = "button";
    corners.className = "plain";
    corners.textContent = gettext("Corners");
    corners.addEventListener("click", () => { choose(index); handles.querySelector(".corner")?.focus(); });
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "plain";
    remove.textContent = gettext("Remove");
    remove.setAttribute("aria-label", interpolate(gettext("Remove area %(area)s"), { area: area.name || index + 1 }, true));
    remove.addEventListener("click", () => {
      areas.splice(index, 1);
      chosen = -1;
      listAreas();
      changed();
      field("add-ignore").focus();
    });
    for (const control of [name, rule, corners, remove]) control.disabled = areasFixed;
    for (const control of [name, rule]) control.addEventListener("focus", () => choose(index));
    item.append(name, rule, corners, remove);
    item.classList.toggle("chosen", index === chosen);
    return item;
  }));
}

function addArea(rule) {
  areas.push({ name: "", rule, points: [[25, 35], [75, 35], [75, 75], [25, 75]] });
  chosen = areas.length - 1;
  listAreas();
  changed();
  handles.querySelector(".corner").focus();
}

// --- together --------------------------------------------------------------------------------------------------------

function changed() {
  const own = field("own-threshold").checked;
  if (!own) field("threshold").value = field("threshold").dataset.general;
  field("threshold-shown").textContent = field("threshold").value;
  draw();
  tryLater();
}

field("add-ignore").addEventListener("click", () => addArea("ignore"));
field("add-watch").addEventListener("click", () => addArea("watch"));
field("threshold").addEventListener("input", () => { field("own-threshold").checked = true; changed(); });
for (const id of ["examine", "own-threshold", "min", "max", "effort"]) field(id).addEventListener("input", changed);

function reset() {
  areas = structuredClone(original.areas);
  chosen = -1;
  for (const [id, value] of Object.entries(original.fields)) {
    if (field(id).type === "checkbox") field(id).checked = value;
    else field(id).value = value;
  }
  listAreas();
  changed();
}
field("reset").addEventListener("click", reset);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!isOwner) return;
  field("use").disabled = true;
  const say = (words) => { field("applying").textContent = words; };
  const change = await applyWithUndo(form.dataset.change, { kind: "camera", name: form.dataset.name, block: block() }, form.dataset.changes, say, () => location.reload());
  if (change) {
    original.areas = structuredClone(areas);
    for (const id of Object.keys(original.fields)) original.fields[id] = field(id).type === "checkbox" ? field(id).checked : field(id).value;
    tryLater();
  }
  field("use").disabled = false;
});

listAreas();
draw();
tryNow();
addEventListener("resize", draw);
document.getElementById("last").addEventListener("load", draw);
