// Installs the worker where browsers allow one, and offers the installation on the page about it.

const { worker } = document.querySelector("link[rel=manifest]").dataset;
if ("serviceWorker" in navigator) navigator.serviceWorker.register(worker).catch(() => { /* the site works without */ });

const button = document.getElementById("install");
if (button) {
  const isInstalled = matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
  document.getElementById("installed").hidden = !isInstalled;
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.hidden = true;
      await event.prompt();
    }, { once: true });
  });
  addEventListener("appinstalled", () => { document.getElementById("installed").hidden = false; button.hidden = true; });
}
