// A clip plays in the place of its still, from a moment before the second that was found.

const LEAD_S = 1;

/** Offer to play the page's first clip in the place of its picture, if it has both. */
export function playInPlace(picture) {
  const moving = document.querySelector(".clip video, .clip .moving");
  if (!picture || !moving) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "play";
  button.textContent = `▶ ${gettext("Play the clip")}`;
  button.addEventListener("click", () => {
    picture.classList.add("playing");
    picture.append(moving);
    button.remove();
    if (!moving.play) return;
    moving.focus();
    moving.play().catch(() => { /* its own controls say why */ });
  });
  picture.append(button);
}

for (const video of document.querySelectorAll("video[data-second]")) {
  video.addEventListener("loadedmetadata", () => { video.currentTime = Math.max(0, Number(video.dataset.second) - LEAD_S); }, { once: true });
}
