// Setting a camera up: another make at once, copying, and a port with TLS in one click.

import { tell, toast } from "./ask.js";
import { applyWithUndo } from "./applying.js";

const brand = document.getElementById("brand");
document.getElementById("choose").hidden = true;
brand.addEventListener("change", () => document.getElementById("brands").submit());

/** Copy a text; over plain HTTP a browser has no clipboard for pages, and the old way still works. */
async function copy(text) {
  if (navigator.clipboard && isSecureContext) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(button.dataset.copy).catch(() => false);
    button.focus();
    if (done) toast(interpolate(gettext("Copied: %(text)s"), { text: button.dataset.copy }, true), null);
    else tell(gettext("The browser does not allow copying here; select the text instead."), "error");
  });
}

for (const button of document.querySelectorAll(".encrypt")) {
  button.addEventListener("click", async () => {
    for (const each of document.querySelectorAll(".encrypt")) each.disabled = true;
    const say = (words) => { document.getElementById("encrypting").textContent = words; };
    const change = await applyWithUndo(button.dataset.url, { port: Number(button.dataset.port) }, button.dataset.changes, say, () => location.reload());
    if (change) say(interpolate(gettext("Port %(port)s is open. Enter it in the camera, with SSL/TLS switched on and without verification of the certificate."), { port: button.dataset.port }, true));
    for (const each of document.querySelectorAll(".encrypt")) each.disabled = false;
  });
}
