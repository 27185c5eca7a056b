// Parts of a page that refresh: data-refresh is the address, data-every the interval in seconds.

import { ask } from "./ask.js";

for (const part of document.querySelectorAll("[data-refresh]")) {
  const every = 1000 * Number(part.dataset.every);
  let failures = 0;
  let shown = "";
  const turn = async () => {
    if (!document.hidden) {
      try {
        const response = await ask(part.dataset.refresh);
        if (!response.ok) throw new Error();
        const html = await response.text();
        // Replaced only when it changed: what is selected or being read stays.
        if (html !== shown) part.innerHTML = html;
        shown = html;
        failures = 0;
      } catch {
        failures += 1; // the bar at the top says so
      }
    }
    setTimeout(turn, every * Math.min(10, 2 ** failures));
  };
  setTimeout(turn, every);
}
