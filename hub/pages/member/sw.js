// The member's page without a connection: her card and coupons are on the device. What /member/api and the WebSocket say is never
// kept here. And notifications: what the store pushes while the page is closed.

importScripts("../shared/shell.js");

const SHELL = [
  "./", "./style.css", "./shop.css", "./app.js", "./answering.js", "./api.js", "./camera.js", "./circle.js", "./contract.js", "./coupons.js", "./decoder.js",
  "./decoder_worker.js", "./entrance.js", "./exit.js", "./exit_view.js", "./link.js", "./nfc.js", "./push.js", "./scanner.js", "./seen.js", "./senses.js",
  "./shop.js", "./shop_view.js", "./shopping.js", "./signals.js", "./store.js", "./view.js", "./words.js", "./words_shop.js", "./icon.svg", "./icon-192.png",
  "./manifest.webmanifest", "../shared/awake.js", "../shared/dom.js", "../shared/sound.js",
];
const HERE = new URL("./", self.location).pathname;
const ROOT = new URL("../", self.location).pathname;

self.keepShell({
  cache: "instore-member-3", shell: SHELL,
  ours: ({ pathname }) => (pathname.startsWith(HERE) && !pathname.startsWith(`${HERE}api/`)) || ["shared/", "vendor/"].some((folder) => pathname.startsWith(ROOT + folder)),
});

// {title, body, url, coupon}, in her language, as the store says it.
self.addEventListener("push", (event) => {
  let said = {};
  try {
    said = event.data?.json() ?? {};
  } catch {
    // a push without a text still has to be shown
  }
  const text = (value, fallback) => (typeof value === "string" && value !== "" ? value.slice(0, 300) : fallback);
  const coupon = text(said.coupon, "");
  const url = new URL(text(said.url, "./"), self.location);
  if (coupon !== "") url.searchParams.set("coupon", coupon);
  event.waitUntil(self.registration.showNotification(text(said.title, "instore"), {
    body: text(said.body, ""), icon: "./icon-192.png", tag: coupon || "coupon", data: { url: url.href },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(goTo(event.notification.data?.url ?? "./"));
});

// To the page that is open, or to a new one; never to another site.
async function goTo(url) {
  const there = new URL(url, self.location);
  const href = there.origin === self.location.origin && there.pathname.startsWith(HERE) ? there.href : new URL("./", self.location).href;
  const [page] = await self.clients.matchAll({ type: "window" });
  if (page === undefined) return self.clients.openWindow(href);
  page.postMessage({ open: href });
  return page.focus();
}
