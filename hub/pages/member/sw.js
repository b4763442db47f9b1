// Makes the page installable and lets it start without a connection: the card and the coupons are on the device. Network
// first, so that a new version is there at once. What /member/api and the WebSocket say is never kept here.

const CACHE = "instore-member-2";
const SHELL = [
  "./", "./style.css", "./app.js", "./answering.js", "./api.js", "./circle.js", "./contract.js", "./coupons.js", "./entrance.js", "./link.js", "./senses.js", "./shop.js", "./shop_view.js",
  "./signals.js", "./store.js", "./view.js", "./words.js", "./icon.svg", "./icon-192.png", "./manifest.webmanifest",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("instore-member-") && name !== CACHE);
  event.waitUntil(
    caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const ours = new URL("./", self.location).pathname;
  if (event.request.method !== "GET" || url.origin !== self.location.origin || !url.pathname.startsWith(ours)) return;
  if (url.pathname.startsWith(`${ours}api/`)) return;
  event.respondWith(networkFirst(event.request));
});

async function networkFirst(request) {
  const cache = await caches.open(CACHE);
  try {
    const fresh = await fetch(request);
    if (fresh.ok) await cache.put(request, fresh.clone());
    return fresh;
  } catch (error) {
    const found = await cache.match(request, { ignoreSearch: true });
    if (found) return found;
    throw error;
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(
    self.clients.matchAll({ type: "window" }).then(([page]) => (page ? page.focus() : self.clients.openWindow("./"))),
  );
});
