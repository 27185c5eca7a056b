// The worker of the installed site. It keeps one page with its style, "no answer from camalert", and nothing else: what
// the cameras saw is never stored on a phone.

const STORE = "camalert-offline-1";
const OFFLINE = new URL("offline/", self.location).href;

async function keepOfflinePage() {
  const response = await fetch(OFFLINE, { cache: "reload" });
  if (!response.ok) throw new Error(`offline page: ${response.status}`);
  const html = await response.clone().text();
  const parts = [...html.matchAll(/(?:href|src)="([^"]+\.(?:css|js|svg|png)\?[^"]*)"/g)].map((found) => new URL(found[1], self.location).href);
  const store = await caches.open(STORE);
  for (const request of await store.keys()) await store.delete(request);
  await store.put(OFFLINE, response);
  await store.addAll(parts);
}

self.addEventListener("install", (event) => { event.waitUntil(keepOfflinePage().then(() => self.skipWaiting())); });
self.addEventListener("activate", (event) => { event.waitUntil(self.clients.claim()); });
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(async () => (await caches.match(OFFLINE)) ?? Response.error()));
  } else if (new URL(request.url).pathname.includes("/static/")) {
    event.respondWith(fetch(request).catch(async () => (await caches.match(request.url)) ?? Response.error()));
  }
});

// A message from camalert: shown, and a click opens its visit. It came encrypted; only this browser can read it.
self.addEventListener("push", (event) => {
  let message = {};
  try { message = event.data.json(); } catch { /* shown without words, as browsers demand that something is */ }
  event.waitUntil(self.registration.showNotification(message.title || "camalert", {
    body: message.text || "",
    tag: message.id,
    timestamp: message.at ? 1000 * message.at : Date.now(),
    icon: new URL("static/review/icon-192.png", self.location).href,
    data: { page: new URL(message.page || "", self.registration.scope).href },
  }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { page } = event.notification.data;
  event.waitUntil((async () => {
    if (!page.startsWith(self.registration.scope)) return;
    const open = (await self.clients.matchAll({ type: "window" })).find((client) => client.url === page);
    await (open ? open.focus() : self.clients.openWindow(page));
  })());
});
