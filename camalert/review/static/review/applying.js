// Changing settings: send a change, wait until the service has begun again with it, and say what became of it.

import { ask, send, tell, toast } from "./ask.js";

const EVERY_MS = 1000;
const LONGEST_MS = 300_000;
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Wait until a change is settled; the site is away for some seconds meanwhile. */
async function settled(changes, id) {
  for (const until = Date.now() + LONGEST_MS; Date.now() < until;) {
    await sleep(EVERY_MS);
    try {
      const response = await fetch(`${changes}${id}/`, { redirect: "manual", cache: "no-store" });
      if (response.ok) {
        const change = await response.json();
        if (change.state !== "asked") return change;
      } else if (response.type === "opaqueredirect" || response.status === 401) {
        await ask(`${changes}${id}/`); // says that the session has ended
      }
    } catch { /* it is beginning again */ }
  }
  throw new Error(gettext("camalert did not answer whether it took the change; look at its log."));
}

/**
 * Send a change and follow it. `progress` gets words for the person; resolves to the settled change.
 * Throws an error with words when it is not taken.
 */
export async function apply(url, body, changes, progress = () => {}) {
  progress(gettext("Being checked …"));
  let change;
  try {
    change = await send(url, body);
    progress(gettext("Being applied: camalert begins again, which takes some seconds …"));
    change = await settled(changes, change.id);
    if (change.state === "refused") throw new Error(interpolate(gettext("Not taken: %(why)s Nothing was changed."), { why: change.why }, true));
  } catch (error) {
    progress("");
    throw error;
  }
  const words = change.state === "written" ? interpolate(gettext("Saved; %(why)s."), { why: change.why }, true) : gettext("In force.");
  progress(words);
  return change;
}

/** The same, with a toast that takes it back. */
export async function applyWithUndo(url, body, changes, progress, after = () => {}) {
  try {
    const change = await apply(url, body, changes, progress);
    toast(interpolate(gettext("%(summary)s: in force."), { summary: change.summary }, true), async () => {
      await apply(`${changes}${change.id}/undo/`, {}, changes, progress);
      after();
    });
    return change;
  } catch (error) {
    progress(error.message);
    tell(error.message, "error");
    return null;
  }
}
