// The light box: the pictures of a page in full size, one after the other. Zoom by wheel, pinch, double click and keys,
// move by dragging, boxes as an overlay. Pictures are the links with data-light: {"w", "h", "boxes": [[x, y, w, h, %]]}.

const MAX_SCALE = 10;
const SWIPE_PX = 60;
const DOUBLE_MS = 300;
const SVG = "http://www.w3.org/2000/svg";

/** Return the pictures of the page, each once: the large one may be among the small ones. */
function items() {
  const all = new Map();
  for (const item of document.querySelectorAll("[data-light]")) all.set(item.dataset.full ?? item.href, item);
  const order = [...document.querySelectorAll("[data-light]")];
  return [...all.values()].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

const same = (item) => items().find((other) => (other.dataset.full ?? other.href) === (item.dataset.full ?? item.href)) ?? item;
const limited = (value, least, most) => Math.min(most, Math.max(least, value));

function element(name, facts = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(facts)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...content);
  return made;
}

const ICONS = {
  boxes: "M4 4h16v16H4zM8 8h5v9H8z", full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5", close: "M5 5l14 14M19 5L5 19",
  less: "M5 12h14", more: "M12 5v14M5 12h14", before: "M15 4l-8 8 8 8", after: "M9 4l8 8-8 8",
};

function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", width: 22, height: 22, "aria-hidden": "true" })) made.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  made.append(path);
  return made;
}

const button = (name, label, act) => element("button", { type: "button", className: "icon", "aria-label": label, title: label, onclick: act }, icon(name));

let box = null; // the open light box

class LightBox {
  constructor(item) {
    this.image = element("img", { alt: "" });
    this.overlay = document.createElementNS(SVG, "svg");
    this.overlay.setAttribute("class", "boxes");
    this.overlay.setAttribute("aria-hidden", "true");
    this.sheet = element("div", { className: "sheet" }, this.image, this.overlay);
    this.pane = element("div", { className: "pane" }, this.sheet);
    this.caption = element("p", { className: "caption", "aria-live": "polite" });
    this.details = element("a", { className: "button plain" }, gettext("Details"));
    this.boxesButton = button("boxes", `${gettext("Boxes")} (b)`, () => this.toggleBoxes());
    this.dialog = element("dialog", { className: "light", "aria-label": gettext("Picture") }, this.pane, element("div", { className: "bar" },
      this.caption, this.boxesButton, button("less", `${gettext("Smaller")} (−)`, () => this.zoomBy(1 / 1.5)), button("more", `${gettext("Larger")} (+)`, () => this.zoomBy(1.5)),
      button("full", `${gettext("Full screen")} (f)`, () => this.toggleFull()), this.details, button("close", `${gettext("Close")} (Esc)`, () => this.dialog.close())),
      button("before", `${gettext("The picture before")} (←)`, () => this.step(-1)), button("after", `${gettext("The next picture")} (→)`, () => this.step(1)));
    [this.before, this.after] = [...this.dialog.querySelectorAll(":scope > button")];
    this.before.classList.add("before");
    this.after.classList.add("after");
    document.body.append(this.dialog);
    this.pointers = new Map();
    this.listen();
    this.dialog.showModal();
    this.show(item);
    let isOn = true;
    try { isOn = localStorage.getItem("camalert-boxes") !== "off"; } catch { /* shown, then */ }
    this.showBoxes(isOn);
  }

  listen() {
    this.dialog.addEventListener("close", () => this.end());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.pane.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.03 : 0.0015)), event.clientX, event.clientY);
    }, { passive: false });
    this.pane.addEventListener("pointerdown", (event) => this.down(event));
    this.pane.addEventListener("pointermove", (event) => this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) this.pane.addEventListener(kind, (event) => this.up(event));
    this.image.addEventListener("load", () => { if (!this.isKnown) this.fit(this.image.naturalWidth, this.image.naturalHeight); });
    this.resized = () => this.place();
    addEventListener("resize", this.resized);
  }

  show(item) {
    this.item = item;
    const { w, h, boxes = [] } = JSON.parse(item.dataset.light);
    this.isKnown = Boolean(w && h);
    this.image.src = item.dataset.full ?? item.href;
    this.image.alt = item.dataset.caption ?? "";
    const all = items();
    const index = all.indexOf(item);
    this.caption.textContent = `${item.dataset.caption ?? ""}${all.length > 1 ? ` (${interpolate(gettext("%(number)s of %(all)s"), { number: index + 1, all: all.length }, true)})` : ""}`;
    this.before.disabled = index <= 0;
    this.after.disabled = index >= all.length - 1;
    this.details.hidden = !item.dataset.page;
    if (item.dataset.page) this.details.href = item.dataset.page;
    this.overlay.replaceChildren(...boxes.flatMap(([x, y, width, height, percent]) => {
      const rect = document.createElementNS(SVG, "rect");
      for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, value);
      const text = document.createElementNS(SVG, "text");
      text.setAttribute("x", x + width / 2);
      text.setAttribute("y", y > 0.06 * h ? y - 0.012 * h : y + 0.05 * h);
      text.setAttribute("font-size", Math.max(0.035 * h, 9));
      text.textContent = `${percent} %`;
      return [rect, text];
    }));
    this.boxesButton.hidden = !boxes.length;
    if (this.isKnown) this.fit(w, h);
  }

  fit(width, height) {
    Object.assign(this, { width, height, scale: 1, x: 0, y: 0 });
    this.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.place();
  }

  /** Put the picture where scale, x and y (px from the middle) say, as far as its edges allow. */
  place() {
    if (!this.width) return;
    const { width, height } = this.pane.getBoundingClientRect();
    const fitting = Math.min(width / this.width, height / this.height);
    const [shownWidth, shownHeight] = [this.width * fitting * this.scale, this.height * fitting * this.scale];
    const [farX, farY] = [Math.max(0, (shownWidth - width) / 2), Math.max(0, (shownHeight - height) / 2)];
    this.x = limited(this.x, -farX, farX);
    this.y = limited(this.y, -farY, farY);
    Object.assign(this.sheet.style, {
      width: `${shownWidth}px`, height: `${shownHeight}px`,
      transform: `translate(${(width - shownWidth) / 2 + this.x}px, ${(height - shownHeight) / 2 + this.y}px)`,
    });
    this.dialog.classList.toggle("zoomed", this.scale > 1.01);
    this.dialog.dataset.scale = this.scale.toFixed(2);
  }

  /** Zoom about a point of the screen, which stays where it is. */
  zoomBy(factor, clientX = null, clientY = null) {
    const frame = this.pane.getBoundingClientRect();
    const [atX, atY] = [(clientX ?? frame.left + frame.width / 2) - frame.left - frame.width / 2, (clientY ?? frame.top + frame.height / 2) - frame.top - frame.height / 2];
    const scale = limited(this.scale * factor, 1, MAX_SCALE);
    const real = scale / this.scale;
    this.x = atX - (atX - this.x) * real;
    this.y = atY - (atY - this.y) * real;
    this.scale = scale;
    this.place();
  }

  down(event) {
    this.pane.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 1) this.start = { x: event.clientX, y: event.clientY, at: event.timeStamp };
    else this.start = null; // a pinch is no swipe
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.pointers.size === 1) {
      this.x += now.x - before.x;
      this.y += now.y - before.y;
      this.pointers.set(event.pointerId, now);
      this.place();
      return;
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
    const length = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    this.pointers.set(event.pointerId, now);
    if (length(before) > 0) this.zoomBy(length(now) / length(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const { start } = this;
    if (!start || event.type === "pointercancel") return;
    this.start = null;
    const [x, y] = [event.clientX - start.x, event.clientY - start.y];
    if (Math.hypot(x, y) < 8) {
      const isDouble = this.tapped && event.timeStamp - this.tapped.at < DOUBLE_MS
        && Math.hypot(event.clientX - this.tapped.x, event.clientY - this.tapped.y) < 30;
      this.tapped = isDouble ? null : { x: event.clientX, y: event.clientY, at: event.timeStamp };
      if (isDouble) this.zoomBy(this.scale > 1.01 ? 1 / MAX_SCALE : 2.5, event.clientX, event.clientY);
    } else if (this.scale < 1.01 && Math.abs(x) > SWIPE_PX && Math.abs(x) > 2 * Math.abs(y)) {
      this.step(x < 0 ? 1 : -1);
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    switch (event.key) {
      case "ArrowLeft": this.step(-1); break;
      case "ArrowRight": this.step(1); break;
      case "+": case "=": this.zoomBy(1.5); break;
      case "-": this.zoomBy(1 / 1.5); break;
      case "0": this.zoomBy(1 / MAX_SCALE); break;
      case "b": this.toggleBoxes(); break;
      case "f": this.toggleFull(); break;
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  step(by) {
    const all = items();
    const next = all[all.indexOf(this.item) + by];
    if (next) this.show(next);
  }

  toggleBoxes() { this.showBoxes(this.dialog.classList.contains("without-boxes")); }

  showBoxes(isOn) {
    this.dialog.classList.toggle("without-boxes", !isOn);
    this.boxesButton.setAttribute("aria-pressed", String(isOn));
    try { localStorage.setItem("camalert-boxes", isOn ? "on" : "off"); } catch { /* then not remembered */ }
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.dialog.requestFullscreen?.().catch(() => {}); // a phone that has none shows it large already
  }

  end() {
    if (document.fullscreenElement) document.exitFullscreen();
    removeEventListener("resize", this.resized);
    this.dialog.remove();
    box = null;
    this.item.focus();
  }
}

/** Open the light box at a picture. */
export function light(item) {
  box ??= new LightBox(same(item));
}

document.addEventListener("click", (event) => {
  const item = event.target.closest("a[data-light]");
  if (!item || item.dataset.light === "" || "lightOnly" in item.dataset || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  event.preventDefault();
  light(item);
});
