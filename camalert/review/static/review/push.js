// Notifications of the browser: an owner switches them on, and a person lets this browser subscribe or end.

import { send } from "./ask.js";
import { apply } from "./applying.js";

const card = document.getElementById("push");
const said = document.getElementById("push-said");
const on = document.getElementById("push-on");
const start = document.getElementById("push-subscribe");
const stop = document.getElementById("push-unsubscribe");
const say = (words) => { said.textContent = words; };

function bytesOf(text) {
  const raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

async function show() {
  const registration = await navigator.serviceWorker.ready;
  const found = await registration.pushManager.getSubscription();
  start.hidden = Boolean(found);
  stop.hidden = !found;
  return found;
}

async function subscribe() {
  if (await Notification.requestPermission() !== "granted") { say(card.dataset.denied); return; }
  try {
    const registration = await navigator.serviceWorker.ready;
    const found = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(card.dataset.key) });
    try { await send(card.dataset.subscribe, found.toJSON()); } catch (error) { await found.unsubscribe(); throw error; }
    say(card.dataset.done);
  } catch (error) { say(`${card.dataset.failed} ${error.message}`); }
  await show();
}

async function unsubscribe() {
  const found = await show();
  if (found) {
    await send(card.dataset.end, { endpoint: found.endpoint });
    await found.unsubscribe();
    say(card.dataset.ended);
  }
  await show();
}

if (card?.dataset.key) {
  on?.addEventListener("click", async () => {
    on.disabled = true;
    try {
      const { target, url } = card.dataset;
      await apply(card.dataset.change, { kind: "notify", name: target, block: { name: target, url, events: ["visit"] } }, card.dataset.changes, say);
      location.reload();
    } catch (error) { say(error.message); on.disabled = false; }
  });
  if (start) {
    if ("PushManager" in window && "Notification" in window && "serviceWorker" in navigator) {
      show();
      start.addEventListener("click", subscribe);
      stop.addEventListener("click", unsubscribe);
    } else say(card.dataset.unable);
  }
}
