// Restoring: a file is sent in pieces, and the page follows what becomes of it, also while camalert begins again.

const PIECE_BYTES = 448 * 1024; // a request each, within what the server takes at once
const EVERY_MS = 1000;
const LOST_MS = 300_000;
const TRIES = 5;

const card = document.getElementById("restore");
const said = document.getElementById("restore-said");
const bar = document.getElementById("restore-progress");
const chosen = document.getElementById("restore-file");
const start = document.getElementById("restore-upload");
const cancel = document.getElementById("restore-cancel");
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

let isSending = false;

function say(text, kind = "") {
  said.className = `message ${kind}`;
  if (said.textContent !== text) said.textContent = text;
  said.hidden = !text;
  if (text) for (const last of document.querySelectorAll(".last-restore")) last.hidden = true;
}

function showProgress(done, all) {
  bar.hidden = done === null;
  if (done === null) return;
  if (all) { bar.max = all; bar.value = done; } else bar.removeAttribute("value");
}

const percent = (done, all) => (all ? ` ${Math.floor((100 * done) / all)} %` : "");

async function post(url, body) {
  const response = await fetch(url, { method: "POST", body, redirect: "manual", headers: { "X-CSRFToken": document.body.dataset.csrf, "Content-Type": "application/octet-stream" } });
  const answer = await response.json().catch(() => ({ error: `${response.status}` }));
  if (answer.confirm) { location.assign(answer.confirm); await sleep(LOST_MS); }
  if (!response.ok) throw Object.assign(new Error(answer.error), { isFinal: response.status < 500 });
  return answer;
}

/** Send a piece; what the network loses is sent again. */
async function sendPiece(url, piece) {
  for (let tries = 1; ; tries += 1) {
    try { return await post(url, piece); } catch (error) {
      if (error.isFinal || tries >= TRIES || !isSending) throw error;
      await sleep(EVERY_MS * tries);
    }
  }
}

async function send(file) {
  isSending = true;
  start.disabled = true;
  cancel.hidden = false;
  try {
    for (let at = 0; at < file.size; at += PIECE_BYTES) {
      if (!isSending) return;
      await sendPiece(`${card.dataset.upload}?at=${at}&of=${file.size}&name=${encodeURIComponent(file.name)}`, file.slice(at, at + PIECE_BYTES));
      const done = Math.min(file.size, at + PIECE_BYTES);
      showProgress(done, file.size);
      say(`${card.dataset.receiving}:${percent(done, file.size)}`);
    }
    cancel.hidden = true;
    await post(card.dataset.end);
    await follow(true);
  } catch (error) {
    showProgress(null);
    say(error.message, "error");
  } finally {
    isSending = false;
    cancel.hidden = true;
    start.disabled = !chosen.files.length;
  }
}

/** Show what becomes of it until it is over; `isOurs`: something was begun, so that the last outcome is its outcome. */
async function follow(isOurs) {
  let answeredAt = Date.now();
  let wasAsked = false;
  for (;;) {
    let state = null;
    try {
      const response = await fetch(card.dataset.state, { redirect: "manual", cache: "no-store" });
      if (response.ok) state = await response.json();
      else if (response.type === "opaqueredirect" || response.status === 401) { location.reload(); return; }
    } catch { /* it is beginning again */ }
    if (state) {
      answeredAt = Date.now();
      if (["copying", "checking", "asked"].includes(state.step)) {
        isOurs = true;
        wasAsked ||= state.step === "asked";
        showProgress(state.done_bytes, state.step === "copying" ? state.all_bytes : 0);
        say(`${card.dataset[state.step]}${state.step === "copying" ? percent(state.done_bytes, state.all_bytes) : ""}${state.step === "asked" && state.why ? ` ${state.why}` : ""}`);
        if (state.step === "asked" && state.why) { showProgress(null); return; }
      } else if (state.step === "settings" && isOurs) { location.assign(card.dataset.settings); return; }
      else if (state.step === "failed" && isOurs) { showProgress(null); say(`${card.dataset.failed} ${state.why}`, "error"); return; }
      else if (state.last === "swapped") { showProgress(0, 0); say(card.dataset.swapped); }
      else {
        showProgress(null);
        if (isOurs && wasAsked) location.reload();
        return;
      }
    } else if (Date.now() - answeredAt > LOST_MS) { showProgress(null); say(card.dataset.lost, "error"); return; }
    await sleep(EVERY_MS);
  }
}

chosen.addEventListener("change", () => { start.disabled = isSending || !chosen.files.length; });
start.addEventListener("click", () => { if (chosen.files.length) send(chosen.files[0]); });
cancel.addEventListener("click", async () => {
  isSending = false;
  showProgress(null);
  say("");
  await post(`${card.dataset.end}?cancel=1`).catch(() => {});
});
start.disabled = !chosen.files.length;
follow(false);
