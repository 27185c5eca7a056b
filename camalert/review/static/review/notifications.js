// Targets of messages: a form by kind of service, hours by clicking, and a test with the channel's answer.

import { LANGUAGE, ask, send, tell } from "./ask.js";
import { applyWithUndo } from "./applying.js";

const enc = encodeURIComponent;
// What each kind asks for, and the address that this makes. Secret fields are typed once and never shown again.
const KINDS = {
  ntfy: { text: gettext("ntfy (app on the phone)"), parts: [["topic", gettext("Topic: a word nobody guesses")], ["server", gettext("Server (empty: ntfy.sh)"), ""]], url: (v) => `ntfys://${v.server ? `${v.server}/` : ""}${enc(v.topic)}` },
  telegram: { text: "Telegram", parts: [["token", gettext("Bot token"), null], ["chat", gettext("Chat id")]], url: (v) => `tgram://${v.token}/${enc(v.chat)}` },
  pushover: { text: "Pushover", parts: [["user", gettext("User key"), null], ["token", gettext("Application token"), null]], url: (v) => `pover://${enc(v.user)}@${enc(v.token)}` },
  mail: { text: gettext("E-mail"), parts: [["host", gettext("Mail server")], ["user", gettext("User"), ""], ["password", gettext("Password"), null], ["from", gettext("Sender")], ["to", gettext("Recipient")]], url: (v) => `smtps://${v.user ? `${enc(v.user)}:${enc(v.password)}@` : ""}${v.host}/?to=${enc(v.to)}&from=${enc(v.from)}` },
  mqtt: { text: "Home Assistant (MQTT)", parts: [["host", gettext("Broker's address")], ["user", gettext("User"), ""], ["password", gettext("Password"), null]], url: (v) => `mqtt://${v.user ? `${enc(v.user)}:${enc(v.password)}@` : ""}${v.host}/` },
  webhook: { text: "Webhook", parts: [["address", gettext("Address, http:// or https://")], ["secret", gettext("Signing secret (whsec_…)"), ""]], url: (v) => `webhook+${v.address}`, secret: (v) => v.secret || null },
  other: { text: gettext("Another address (Apprise)"), parts: [["address", gettext("Address, such as slack://…"), null]], url: (v) => v.address },
};
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]; // as the configuration has them
const HOURS = 24;
const TEST_EVERY_MS = 700;
const TEST_LONGEST_MS = 120_000;

const page = document.getElementById("targets");
const say = (words) => { document.getElementById("applying").textContent = words; };
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// --- a form ----------------------------------------------------------------------------------------------------------

function prepare(form) {
  const fixed = new Set(form.dataset.fixed.split(" ").filter(Boolean));
  const kind = form.elements.kind;
  for (const [value, { text }] of Object.entries(KINDS)) kind.add(new Option(text, value));
  kind.addEventListener("change", () => showParts(form, kind.value));
  const keys = { name: "name", kind: "url", events: "events", cameras: "cameras", away_cameras: "away_cameras", priority: "priority", cooldown: "cooldown_seconds", picture: "picture" };
  for (const control of form.elements) if (fixed.has(keys[control.name])) control.disabled = true;
  if (form.dataset.name && fixed.has("url_file")) kind.disabled = true;
  prepareWeek(form, fixed.has("hours"));
  form.addEventListener("submit", (event) => { event.preventDefault(); save(form, fixed); });
  form.querySelector(".remove")?.addEventListener("click", () => remove(form));
}

function showParts(form, kind) {
  const parts = form.querySelector(".parts");
  parts.replaceChildren(...(KINDS[kind]?.parts ?? []).map(([name, text, otherwise]) => {
    const row = document.createElement("p");
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = otherwise === null ? "password" : "text";
    input.autocomplete = "off";
    input.spellcheck = false;
    input.dataset.part = name;
    input.required = otherwise !== "" && name !== "password";
    label.append(`${text} `, input);
    row.append(label);
    return row;
  }));
}

function chosen(form, name) {
  return [...form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value);
}

function blockOf(form, fixed) {
  const kind = KINDS[form.elements.kind.value];
  const values = Object.fromEntries([...form.querySelectorAll("[data-part]")].map((input) => [input.dataset.part, input.value.trim()]));
  const cameras = chosen(form, "cameras");
  const away = chosen(form, "away_cameras");
  const all = {
    name: form.elements.name.value.trim(),
    events: chosen(form, "events"),
    cameras: cameras.length ? cameras : null,
    away_cameras: away.length ? away : null,
    hours: form.elements.hours.value || null,
    cooldown_seconds: 60 * Number(form.elements.cooldown.value) || null,
    picture: form.elements.picture.checked ? null : false,
  };
  if (form.elements.priority) all.priority = form.elements.priority.value === "normal" ? null : form.elements.priority.value;
  if (kind) {
    all.url = kind.url(values);
    all.secret = kind.secret ? kind.secret(values) : null;
  }
  return Object.fromEntries(Object.entries(all).filter(([key]) => !fixed.has(key)));
}

async function save(form, fixed) {
  if (!form.dataset.name && !form.elements.kind.value) { tell(gettext("Choose where the messages go."), "error"); return; }
  if (!chosen(form, "events").length) { tell(gettext("Choose at least one thing to be told of."), "error"); return; }
  const block = blockOf(form, fixed);
  await change(form, { kind: "notify", name: form.dataset.name || block.name, block });
}

async function remove(form) {
  await change(form, { kind: "notify", name: form.dataset.name, block: null });
}

async function change(form, body) {
  const buttons = form.querySelectorAll(".buttons button");
  for (const button of buttons) button.disabled = true;
  const done = await applyWithUndo(page.dataset.change, body, page.dataset.changes, say, () => location.reload());
  for (const button of buttons) button.disabled = false;
  if (done) {
    form.closest("details").open = false;
    refresh();
  }
}

/** Show the targets as they are now, and leave what was said. */
async function refresh() {
  const response = await ask(location.pathname);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  page.replaceChildren(...fresh.getElementById("targets").children);
  begin();
}

// --- hours -----------------------------------------------------------------------------------------------------------

function prepareWeek(form, isFixed) {
  const table = form.querySelector(".week");
  if (!table) return;
  const cells = [...table.querySelectorAll("button")];
  const set = (cell, value) => cell.setAttribute("aria-pressed", value);
  cells.forEach((cell, index) => {
    set(cell, table.dataset.week[index] === "1");
    cell.disabled = isFixed;
    cell.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -HOURS, ArrowDown: HOURS }[event.key];
      if (!step || !cells[index + step]) return;
      event.preventDefault();
      cell.tabIndex = -1;
      cells[index + step].tabIndex = 0;
      cells[index + step].focus();
    });
    cell.addEventListener("click", (event) => { if (event.detail === 0) { set(cell, cell.getAttribute("aria-pressed") !== "true"); write(); } }); // by a key
  });
  cells[0].tabIndex = 0;
  let painting = null;
  table.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("button");
    if (!cell || cell.disabled) return;
    event.preventDefault();
    cell.focus();
    cell.releasePointerCapture?.(event.pointerId);
    painting = cell.getAttribute("aria-pressed") !== "true";
    set(cell, painting);
    write();
  });
  table.addEventListener("pointerover", (event) => {
    const cell = event.target.closest("button");
    if (painting === null || !cell || !event.buttons) return;
    set(cell, painting);
    write();
  });
  addEventListener("pointerup", () => { painting = null; });
  const said = form.querySelector(".hours-said");
  function write() {
    const text = hoursOf(cells.map((cell) => cell.getAttribute("aria-pressed") === "true"));
    form.elements.hours.value = text;
    said.textContent = only(text);
  }
  said.textContent = only(form.elements.hours.value);
}

/** Say when messages go out, with the days in the language of the page. */
function only(hours) {
  if (!hours) return gettext("Always");
  const name = (day) => new Intl.DateTimeFormat(LANGUAGE, { weekday: "short" }).format(new Date(2024, 0, 1 + DAYS.indexOf(day))); // a Monday
  return interpolate(gettext("Only %(hours)s"), { hours: hours.replace(/\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b/g, name) }, true);
}

/** Write 168 hours as the configuration has them: "Mon-Fri 22:00-24:00, Sat". Days with the same hours go together. */
export function hoursOf(on) {
  if (on.every(Boolean) || !on.some(Boolean)) return "";
  const days = DAYS.map((_, day) => {
    const spans = [];
    for (let hour = 0; hour < HOURS; hour += 1) {
      if (!on[day * HOURS + hour]) continue;
      let end = hour + 1;
      while (end < HOURS && on[day * HOURS + end]) end += 1;
      spans.push(hour === 0 && end === HOURS ? "" : `${String(hour).padStart(2, "0")}:00-${String(end).padStart(2, "0")}:00`);
      hour = end;
    }
    return spans;
  });
  const parts = [];
  for (let day = 0; day < DAYS.length; day += 1) {
    let last = day;
    while (last + 1 < DAYS.length && days[last + 1].join() === days[day].join()) last += 1;
    const name = last > day ? `${DAYS[day]}-${DAYS[last]}` : DAYS[day];
    for (const span of days[day]) parts.push(span ? `${name} ${span}` : name);
    day = last;
  }
  return parts.join(", ");
}

// --- a test ----------------------------------------------------------------------------------------------------------

async function test(card) {
  const button = card.querySelector(".test");
  const said = card.querySelector(".tested");
  button.disabled = true;
  said.textContent = gettext("Being sent …");
  try {
    const { id } = await send(page.dataset.test, { target: card.dataset.target });
    for (const until = Date.now() + TEST_LONGEST_MS; Date.now() < until;) {
      await sleep(TEST_EVERY_MS);
      const found = await (await ask(`${page.dataset.test}${id}/`)).json();
      if (found.state === "waiting") continue;
      said.textContent = found.state !== "sent" ? interpolate(gettext("Not sent: %(reason)s"), { reason: found.reason }, true)
        : found.reason ? interpolate(gettext("Sent: %(reason)s"), { reason: found.reason }, true) : gettext("Sent. Did it arrive?");
      return;
    }
    said.textContent = gettext("No answer yet: other messages wait before it, or camalert's notifier does not run.");
  } catch (error) {
    said.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

function begin() {
  for (const form of page.querySelectorAll("form.target")) prepare(form);
  for (const card of page.querySelectorAll("[data-target]")) card.querySelector(".test")?.addEventListener("click", () => test(card));
}

begin();
