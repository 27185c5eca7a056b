// Dark or light: the system's choice until the owner chooses here. Runs before the first paint, so it is no module.
"use strict";
(() => {
  const KEY = "camalert-theme"; // Django's admin, on the same host, has "theme" for itself
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const show = () => {
    const chosen = stored();
    root.dataset.theme = ["dark", "light"].includes(chosen) ? chosen : system.matches ? "dark" : "light";
  };
  show();
  root.classList.add("scripted");
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    const here = document.querySelector(".top nav [aria-current]"); // on a phone the menu is wider than the screen
    if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - here.parentElement.clientWidth / 2 + here.offsetWidth / 2;
    document.getElementById("theme").addEventListener("click", () => {
      const next = root.dataset.theme === "dark" ? "light" : "dark";
      // What the system would choose anyway is not stored: the page then follows the system again.
      try {
        if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, next);
      } catch { /* a browser that stores nothing still changes this page */ }
      root.dataset.theme = next;
    });
  });
})();
