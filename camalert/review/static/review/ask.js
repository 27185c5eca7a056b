// What every page does: ask the server, show when it does not answer or the session has ended, say what was done, remember
// the place in a list. Loaded once, under one address, by the page and by the other scripts.

const BEAT_MS = 10_000; // between two checks that the server answers
const SLOW_MS = 20_000;
const SHOWN_MS = 9000;
const BEING_MADE_PX = 8; // the width of the drawing in place of a thumbnail that is being made
const MAX_AGAIN = 30;

// --- whether the server answers --------------------------------------------------------------------------------------

/** The language of the page, for times and numbers. */
export const LANGUAGE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
/** What pictures are flagged as, in words; the keys are what the site keeps. */
export const MARKS = { "not a person": gettext("not a person"), "missed a person": gettext("missed a person") };

const bar = document.getElementById("bar");
let answeredAt = new Date();
let problem = ""; // the service's, while the site itself answers

function showBar(...content) {
  const text = content.map((part) => part.textContent ?? part).join("");
  if (bar.textContent !== text) bar.replaceChildren(...content); // said once, not every few seconds
  bar.hidden = false;
}

function showSilence(why = "") {
  document.body.classList.add("silent");
  const since = answeredAt.toLocaleTimeString(LANGUAGE, { hourCycle: "h23" });
  showBar(interpolate(gettext("No answer from camalert since %(since)s. This page shows what was known then."), { since }, true) + why);
}

function showEnded() {
  document.body.classList.add("silent");
  const link = document.createElement("a");
  link.href = `${document.body.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = gettext("Log in again");
  showBar(`${gettext("Your session has ended.")} `, link);
}

function showAnswer() {
  answeredAt = new Date();
  document.body.classList.remove("silent");
  if (problem) showBar(problem);
  else bar.hidden = true;
}

/** Fetch from the site; shows on the page whether it answers. Throws an error with a message for the person. */
export async function ask(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(SLOW_MS), ...options });
  } catch {
    showSilence();
    throw new Error(gettext("camalert does not answer."));
  }
  if (response.type === "opaqueredirect" || response.status === 401) {
    showEnded();
    throw new Error(gettext("Your session has ended."));
  }
  if (response.status >= 500 && response.status !== 503) {
    showSilence(` ${interpolate(gettext("(It answers with error %(status)s.)"), { status: response.status }, true)}`);
    throw new Error(interpolate(gettext("camalert answers with error %(status)s; its log has the details."), { status: response.status }, true));
  }
  showAnswer();
  return response;
}

async function beat() {
  try {
    const response = await ask(document.body.dataset.alive);
    if (!response.ok) return;
    const { health, message, to_review: count } = await response.json();
    if (count !== undefined) showToReview(count);
    problem = health === "down" || health === "unknown" ? message : "";
    showAnswer();
  } catch { /* shown by now */ }
}

if (document.body.dataset.alive) {
  let beating = null;
  const turn = async () => {
    clearTimeout(beating);
    if (!document.hidden) await beat();
    beating = setTimeout(turn, BEAT_MS);
  };
  beating = setTimeout(turn, BEAT_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  addEventListener("online", turn);
  addEventListener("offline", turn);
  addEventListener("pageshow", (event) => { if (event.persisted) turn(); });
}

/** Show in menu, title and icon how many visits are to review; `count` is a text, "" for none. */
export function showToReview(count) {
  const badge = document.getElementById("to-review");
  if (!badge || badge.textContent === count) return;
  badge.textContent = count;
  document.title = `${count ? `(${count}) ` : ""}${document.title.replace(/^\([0-9]+\+?\) /, "")}`;
  const icon = document.getElementById("icon");
  icon.href = count ? icon.dataset.some : icon.dataset.none;
}

// --- changes and messages --------------------------------------------------------------------------------------------

/** Send a change; resolves to the answer's JSON. Throws an error with a message for the person. */
export async function send(url, body) {
  const response = await ask(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": document.body.dataset.csrf },
    body: JSON.stringify(body),
  }).catch((error) => { throw new Error(interpolate(gettext("%(why)s; nothing was changed."), { why: error.message.replace(/\.$/, "") }, true)); });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? interpolate(gettext("camalert answers %(status)s; nothing was changed."), { status: response.status }, true));
  return answer;
}

let hiding = null;
const toastPlace = document.getElementById("toast");

/** Show at the foot of the screen what was done; `undo` reverts it. A later message replaces this one. */
export function tell(message, kind = "success", undo = null) {
  clearTimeout(hiding);
  const line = document.createElement("p");
  line.className = `message ${kind}`;
  line.append(message);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = gettext("Undo");
    button.addEventListener("click", () => {
      toastPlace.replaceChildren();
      attempt(undo().then(() => tell(gettext("Undone."))));
    }, { once: true });
    line.append(button);
  }
  toastPlace.replaceChildren(line);
  const hide = () => {
    if (toastPlace.matches(":hover, :focus-within")) hiding = setTimeout(hide, 1000);
    else toastPlace.replaceChildren();
  };
  if (kind !== "error") hiding = setTimeout(hide, SHOWN_MS);
}

/** Say what was done, with a button that takes it back when `undo`, an asynchronous function, is given. */
export const toast = (text, undo = null) => tell(text, "success", undo);

/** Do something that may fail, and show why it failed. */
export const attempt = (work) => work.catch((error) => tell(error.message, "error"));

/** Let the next page say it; `undo`, an address and a body or several, reverts it. */
export function tellThere(message, undo = null) {
  try { sessionStorage.setItem("camalert-told", JSON.stringify({ message, undo })); } catch { /* then unsaid */ }
}

const told = [...document.querySelectorAll("#messages .message")];
try {
  const { message, undo } = JSON.parse(sessionStorage.getItem("camalert-told") ?? "{}");
  sessionStorage.removeItem("camalert-told");
  if (message) tell(message, "success", undo && (async () => {
    for (const body of undo.bodies ?? [undo.body]) await send(undo.url, body);
    location.reload();
  }));
} catch { /* nothing was left to say */ }
if (told.length) {
  const isError = told.some((line) => line.classList.contains("error"));
  tell(told.map((line) => line.textContent).join(" "), isError ? "error" : "success");
  for (const line of told) line.remove();
}

/** Whether a key belongs to what has the focus and not to the page. */
export function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null
    || event.target.closest("input:not([type=checkbox]), select, textarea, video") !== null;
}

// --- the place in a list ---------------------------------------------------------------------------------------------

const placeName = (album, query) => `camalert-place ${album}?${query}`;

/** Remember the picture of a list that was opened last. */
export function keepPlace(album, query, place) {
  try { sessionStorage.setItem(placeName(album, query), JSON.stringify(place)); } catch { /* then the list begins at its top */ }
}

/** Return the picture of a list that was opened last, once. */
export function takePlace(album, query) {
  try {
    const place = JSON.parse(sessionStorage.getItem(placeName(album, query)));
    sessionStorage.removeItem(placeName(album, query));
    return place;
  } catch {
    return null;
  }
}

// --- thumbnails that are being made ----------------------------------------------------------------------------------

function askAgain(image) {
  if (image.naturalWidth !== BEING_MADE_PX || !/\/(thumbnail|preview)(\?|$)/.test(image.src)) return;
  const again = Number(image.dataset.again ?? 0) + 1;
  if (again > MAX_AGAIN) return;
  image.dataset.again = again;
  const address = new URL(image.src);
  address.searchParams.set("again", again);
  setTimeout(() => { image.src = address; }, Math.min(15_000, 1000 * 2 ** again));
}
document.addEventListener("load", (event) => { if (event.target instanceof HTMLImageElement) askAgain(event.target); }, true);
for (const image of document.images) if (image.complete) askAgain(image);
