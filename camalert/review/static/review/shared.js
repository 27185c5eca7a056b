// The page of a shared visit, for somebody without a login: the light box, clips that begin at the second that was found,
// thumbnails that are still being made.

import "./lightbox.js";

const BEING_MADE_PX = 8; // the width of the drawing in place of a thumbnail
const AGAIN_MS = 2000;
const MAX_AGAIN = 20;

for (const image of document.querySelectorAll("main img")) {
  const address = image.src;
  let tries = 0;
  const look = () => {
    if (image.naturalWidth !== BEING_MADE_PX || tries >= MAX_AGAIN) return;
    tries += 1;
    setTimeout(() => { image.src = `${address}${address.includes("?") ? "&" : "?"}again=${tries}`; }, AGAIN_MS);
  };
  image.addEventListener("load", look);
  if (image.complete) look();
}

for (const video of document.querySelectorAll("video[data-second]")) {
  video.addEventListener("loadedmetadata", () => { video.currentTime = Math.max(0, Number(video.dataset.second) - 1); }, { once: true });
}
