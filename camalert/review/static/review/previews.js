// What happened in a visit, without opening it: under the mouse its card shows the clip or one picture after the other;
// on a touch screen a swipe over the card leads from picture to picture.

import { ask } from "./ask.js";

const HOVER_MS = 350;
const STEP_MS = 700;
const MOST = 24;
const SWIPE_PX = 24; // of a finger, from one picture to the next

const known = new WeakMap(); // by card: a promise of the addresses of its pictures

async function load(card) {
  const response = await ask(card.dataset.moves);
  if (!response.ok) return [];
  const { alerts } = await response.json();
  const clip = alerts.find((alert) => alert.clip)?.clip;
  if (clip) return [`${clip}/preview`];
  const own = card.querySelector("img").src.replace(/[0-9]+\/thumbnail.*$/, "");
  const step = Math.max(1, alerts.length / MOST);
  const some = Array.from({ length: Math.min(MOST, alerts.length) }, (_, index) => alerts[Math.floor(index * step)]);
  return some.map((alert) => `${own}${alert.alert_id}/thumbnail?people`);
}

function picturesOf(card) {
  if (!known.has(card)) known.set(card, load(card).catch(() => []));
  return known.get(card);
}

/** Lay a picture over the card's own, which stays below until this one is there. */
function show(card, address) {
  const open = card.querySelector(".open");
  let over = open.querySelector(".over");
  if (!over) {
    over = document.createElement("img");
    over.className = "over";
    over.alt = "";
    open.append(over);
  }
  if (over.getAttribute("src") !== address) over.src = address;
  card.classList.add("moving");
}

function rest(card) {
  clearTimeout(card.timer);
  card.querySelector(".over")?.remove();
  card.classList.remove("moving");
}

async function play(card) {
  const all = await picturesOf(card);
  if (!all.length || !card.matches(":hover")) return;
  let index = 0;
  const turn = () => {
    if (!card.isConnected || !card.matches(":hover")) { rest(card); return; }
    show(card, all[index % all.length]);
    index += 1;
    if (all.length > 1) card.timer = setTimeout(turn, STEP_MS);
  };
  turn();
}

const days = document.getElementById("days");
days.addEventListener("pointerover", (event) => {
  const card = event.target.closest("[data-moves]");
  if (!card || event.pointerType !== "mouse" || card.contains(event.relatedTarget)) return;
  clearTimeout(card.timer);
  card.timer = setTimeout(() => play(card), HOVER_MS);
});
days.addEventListener("pointerout", (event) => {
  const card = event.target.closest("[data-moves]");
  if (card && event.pointerType === "mouse" && !card.contains(event.relatedTarget)) rest(card);
});

let finger = null;
days.addEventListener("touchstart", (event) => {
  const card = event.target.closest(".open")?.closest("[data-moves]");
  finger = card && event.touches.length === 1 ? { card, x: event.touches[0].clientX, y: event.touches[0].clientY, isSwipe: false } : null;
}, { passive: true });
days.addEventListener("touchmove", (event) => {
  if (!finger) return;
  const [x, y] = [event.touches[0].clientX - finger.x, event.touches[0].clientY - finger.y];
  if (!finger.isSwipe && Math.abs(x) < SWIPE_PX / 2) return;
  if (!finger.isSwipe && Math.abs(y) > Math.abs(x)) { finger = null; return; } // the page is scrolled
  finger.isSwipe = true;
  const { card } = finger;
  picturesOf(card).then((all) => {
    if (all.length) show(card, all[((Math.round(-x / SWIPE_PX) % all.length) + all.length) % all.length]);
  });
}, { passive: true });
days.addEventListener("touchend", (event) => {
  if (finger?.isSwipe) event.preventDefault(); // no tap: the picture stays, the page too
  finger = null;
});
