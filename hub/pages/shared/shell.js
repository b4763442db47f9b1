// The service worker of a page that is installed: it starts without a connection. The network comes first, so that a new version
// is there at once; what was kept serves only when nobody answers. Loaded by importScripts.

// `cache` is name and version, `shell` what is kept at once; `ours(url)` says what else may be kept.
self.keepShell = function keepShell({ cache, shell, ours }) {
  const family = cache.replace(/\d+$/, "");
  const open = () => caches.open(cache);

  self.addEventListener("install", (event) => {
    event.waitUntil(open().then((kept) => kept.addAll(shell)).then(() => self.skipWaiting()));
  });

  self.addEventListener("activate", (event) => {
    const old = (names) => names.filter((name) => name.startsWith(family) && name !== cache);
    event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))).then(() => self.clients.claim()));
  });

  self.addEventListener("fetch", (event) => {
    const url = new URL(event.request.url);
    if (event.request.method !== "GET" || url.origin !== self.location.origin || !ours(url)) return;
    event.respondWith(networkFirst(event.request));
  });

  async function networkFirst(request) {
    const kept = await open();
    try {
      const fresh = await fetch(request);
      if (fresh.ok) await kept.put(request, fresh.clone());
      return fresh;
    } catch (error) {
      const found = await kept.match(request, { ignoreSearch: true });
      if (found) return found;
      throw error;
    }
  }
};
