// Keeps the page for the time when the agent is away. What the agent has now always wins.

const CACHE = "lane";
const FILES = ["index.html", "style.css", "app.js", "fit.js", "link.js", "show.js", "sound.js", "words.js", "icon.svg", "star.svg", "ticket.svg"].map((name) => `/page/${name}`);

addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const kept = event.request.mode === "navigate" && url.pathname.startsWith("/lane/") ? "/page/index.html" : url.pathname;
  if (event.request.method !== "GET" || !FILES.includes(kept)) return;
  event.respondWith(
    fetch(event.request)
      .then(async (answer) => {
        if (answer.ok) await (await caches.open(CACHE)).put(kept, answer.clone());
        return answer;
      })
      .catch(async (error) => {
        const answer = await caches.match(kept);
        if (answer === undefined) throw error;
        return answer;
      }),
  );
});
