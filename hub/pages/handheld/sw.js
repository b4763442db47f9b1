// Makes the page installable and lets it start while the hub is away. The network comes first: a new version of the
// page is there at once, and what was kept serves only when nobody answers.

const CACHE = "instore-handheld-1";
const SHELL = [
  "./", "./style.css", "./app.js", "./alert_book.js", "./contract.js", "./link.js", "./signals.js", "./view.js", "./words.js",
  "./config.json", "./icon.svg", "./icon-192.png", "./manifest.webmanifest", "../vendor/mqtt.esm.js",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("instore-handheld-") && name !== CACHE);
  event.waitUntil(
    caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== self.location.origin) return;
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
