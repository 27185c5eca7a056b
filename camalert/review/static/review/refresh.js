// Parts of a page that renew themselves: data-refresh is where from, data-every how often in seconds.

for (const part of document.querySelectorAll("[data-refresh]")) {
  const every = 1000 * Number(part.dataset.every);
  let failures = 0;
  let shown = "";
  const turn = async () => {
    if (!document.hidden) {
      try {
        const response = await fetch(part.dataset.refresh, { redirect: "error" });
        if (!response.ok) throw new Error();
        const html = await response.text();
        // Replaced only when it changed: what is selected or being read stays.
        if (html !== shown) part.innerHTML = html;
        shown = html;
        failures = 0;
      } catch {
        failures += 1;
      }
    }
    setTimeout(turn, every * Math.min(10, 2 ** failures));
  };
  setTimeout(turn, every);
}
