// A member's terminal as a page: wires the hub's API, the link, the shelf, the senses and the view.

import { $ } from "../shared/dom.js";
import { Answering } from "./answering.js";
import { api, Trouble } from "./api.js";
import { Fence } from "./circle.js";
import { Broken, couponKept, decode, presence } from "./contract.js";
import { Shelf } from "./coupons.js";
import { Entrance, NOTHING } from "./entrance.js";
import { Link } from "./link.js";
import { Push } from "./push.js";
import { Senses } from "./senses.js";
import { Shopping } from "./shopping.js";
import { Signals } from "./signals.js";
import { forget, keep, kept } from "./store.js";
import { View } from "./view.js";
import { Words } from "./words.js";

const TICK_MS = 1000;

const app = {
  words: new Words("ja"), view: "loading", about: null, me: null, tab: "card", form: NOTHING, claim: null, pending: null,
  connection: { kind: "connecting", since: Date.now() }, shelf: new Shelf(), arrived: null, opened: null,
  fence: null, trouble: null, sure: false, broken: 0,
};
const view = new View({ consent, open });
const signals = new Signals();
const senses = new Senses(draw);
const shopping = new Shopping({ app, api, memory: { kept, keep }, signals, on: { draw, on, refresh, open } });
const push = new Push({ api, words: () => app.words });
const link = new Link({ onState, onFrame });
const entrance = new Entrance({ app, view, signals, enter, draw, agreed: askWhatIsNeeded });
const answering = new Answering({ senses, say, member: () => app.me });

// --- beginning

async function start() {
  const { language, me, coupons, pending } = kept();
  app.words = new Words(language ?? (navigator.language.startsWith("ja") ? "ja" : "en"));
  if (me !== undefined) {
    app.shelf = new Shelf(coupons);
    app.pending = pending ?? null;
    enter(me); // the card is there at once, with or without a network
    goTo(location.href);
  } else {
    await first();
  }
  draw();
}

async function first() {
  try {
    enter(await api.me()); // the cookie may have outlived what was kept
    return;
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
  }
  try {
    app.about = await api.about();
    app.view = "register";
  } catch {
    app.trouble = app.words.say("away_first");
    setTimeout(() => first().then(draw), 5000);
  }
}

function enter(me) {
  const changed = app.me !== null && app.me.customer !== me.customer;
  if (changed) {
    app.shelf = new Shelf();
    shopping.clear();
  }
  Object.assign(app, { me, about: me, view: "home", claim: null, form: NOTHING, trouble: null });
  keep({ me, coupons: app.shelf.kept });
  guard();
  if (changed) link.stop();
  link.start();
}

function leave() {
  link.stop();
  senses.unwatch();
  forget();
  answering.forget();
  shopping.clear();
  Object.assign(app, { me: null, shelf: new Shelf(), arrived: null, tab: "card", fence: null, sure: false,
    view: "loading", trouble: null, pending: null });
  view.noConnection();
  first().then(draw);
}

// --- consent

// Browsers ask for position and motion only at a touch: now, not when the store asks.
function askWhatIsNeeded(consents) {
  if (consents.sensing || consents.position) senses.askForPermissions({ motion: Boolean(consents.sensing) }).then(guard);
}

async function consent(purpose, given, wording) {
  app.trouble = null;
  if (given) askWhatIsNeeded({ [purpose]: true });
  try {
    enter(await api.consent({ purpose, given, wording }));
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    app.trouble = trouble.problems.map((problem) => app.words.of(problem)).join(" ") || app.words.say("failed");
  }
  draw();
}

// --- the store's circle

function guard() {
  const { me } = app;
  if (me === null || me.circle === null || !me.consents.position) {
    senses.unwatch();
    app.fence = null;
    return;
  }
  const same = app.fence !== null && JSON.stringify(app.fence.circle) === JSON.stringify(me.circle);
  if (same && senses.watching) return;
  if (!same) app.fence = new Fence(me.circle);
  senses.watch((place) => {
    const event = app.fence?.hear(place);
    if (event) say(presence(app.me.customer, event));
  });
}

// --- the link

function say(frame) {
  return app.me !== null && link.send(frame(app.me.store.id));
}

function onState(kind) {
  if (kind === "signed_out") {
    refresh();
    return;
  }
  if (kind !== app.connection.kind && !(kind === "connecting" && app.connection.kind === "away")) {
    app.connection = { kind, since: Date.now() };
  }
  if (kind === "connected") {
    shopping.shop.load().then(draw);
    push.look().then(draw);
    if (app.fence?.inside) say(presence(app.me.customer, "arrived"));
    refresh();
  } else if (kind === "away") {
    shopping.away();
    refresh(); // refused because nobody is signed in any more, or nobody there
  }
  draw();
}

let refreshing = false;
async function refresh() {
  if (refreshing || app.me === null) return;
  refreshing = true;
  try {
    enter(await api.me());
    await drawPictures();
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    if (trouble.status === 401) leave();
  } finally {
    refreshing = false;
  }
  draw();
}

function onFrame(text) {
  try {
    const said = decode(text, app.me.store.id, app.me.customer);
    if (said.kind === "coupon") hearCoupon(said.coupon);
    else if (said.kind === "cart") shopping.shop.hear(said.cart);
    else if (said.kind === "request") answering.answer(said).then(draw);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    app.broken += 1;
  }
  draw();
}

// --- coupons

function hearCoupon(coupon) {
  const isNew = app.shelf.hear(coupon, Date.now());
  app.shelf.tidy(Date.now());
  if (!keep({ coupons: app.shelf.kept })) return; // not kept: the hub sends it again
  say(couponKept(app.me.customer, coupon));
  if (app.opened === coupon.coupon && coupon.state !== "offered") close();
  if (isNew) {
    app.arrived = coupon.coupon;
    const title = app.words.of(coupon.title);
    signals.announce(app.words.say("coupons"), title);
    view.announce(app.words.say("arrived", title));
  }
  drawPictures();
}

async function drawPictures() {
  for (const { coupon, code } of app.shelf.undrawn) {
    try {
      app.shelf.drawn(coupon, await api.picture(code));
    } catch {
      return; // at the next connection
    }
    keep({ coupons: app.shelf.kept });
    if (app.opened === coupon) view.coupon(app.words, app.shelf.get(coupon));
  }
}

function open(id) {
  app.opened = id;
  app.shelf.seen(id);
  if (app.arrived === id) app.arrived = null;
  keep({ coupons: app.shelf.kept });
  view.coupon(app.words, app.shelf.get(id));
  draw();
}

function close() {
  app.opened = null;
  $("coupon").close();
}

// Where a notification leads: to the coupon that it tells of.
function goTo(href) {
  const { searchParams, hash } = new URL(href, location.href);
  const coupon = searchParams.get("coupon");
  if (app.view !== "home" || (coupon === null && hash !== "#coupons")) return;
  app.tab = "coupons";
  if (app.shelf.get(coupon) !== null) open(coupon);
  else draw();
}

// --- drawing

function draw() {
  const { words } = app;
  const now = Date.now();
  view.show(words, app.view, { store: app.about?.store ?? null, trouble: app.view === "loading" ? app.trouble : null });
  if (app.view === "register") view.register(words, app.about, app.form);
  else if (app.view === "sign-in") view.signIn(words, app.form);
  else if (app.view === "claim") view.claim(words, app.claim, { mail: app.about.mail, ...app.form });
  else if (app.view === "home") {
    view.home(words, { ...app, answered: answering.answered, senses, signals, push, now });
    shopping.draw(words, now);
  }
}

// --- events of the page

function on(id, event, act) {
  $(id).addEventListener(event, (happened) => {
    happened.preventDefault();
    act(happened);
  });
}

function go(to) {
  Object.assign(app, { view: to, form: NOTHING });
  scrollTo(0, 0);
  draw();
}

on("register", "submit", () => entrance.register());
on("sign-in", "submit", () => entrance.ask());
on("code-form", "submit", () => entrance.sendCode());
on("to-sign-in", "click", () => go("sign-in"));
on("to-register", "click", () => go("register"));
on("claim-back", "click", () => entrance.back());
on("earlier", "click", () => entrance.earlier());
on("joined-before", "click", () => entrance.earlier());
on("arrival", "click", () => {
  app.tab = "coupons";
  open(app.arrived);
});
on("coupon-close", "click", close);
on("coupon-read", "click", () => {
  app.tab = "shop";
  shopping.readCoupon();
});
on("coupon", "cancel", close);
on("notify", "click", () => (push.state === "none" || push.state === "unknown" ? signals.askToNotify() : push.begin()).then(draw));
on("notify-end", "click", () => push.end().then(draw));
on("strap", "click", () => senses.connectStrap());
on("sign-out", "click", async () => {
  if (!app.sure) {
    app.sure = true;
    setTimeout(() => ((app.sure = false), draw()), 5000);
    draw();
    return;
  }
  await api.signOut().catch(() => {});
  leave();
});
on("language", "click", () => {
  app.words = new Words(app.words.next);
  keep({ language: app.words.language });
  if (app.opened !== null) view.coupon(app.words, app.shelf.get(app.opened));
  draw();
});
for (const button of $("tabs").children) {
  button.addEventListener("click", () => {
    app.tab = button.dataset.tab;
    if (app.tab === "coupons") app.arrived = null;
    scrollTo(0, 0);
    draw();
  });
}
for (const touch of ["pointerup", "keydown"]) document.addEventListener(touch, () => signals.enableSound());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") link.hurry();
});
window.addEventListener("online", () => link.hurry());
window.addEventListener("offline", () => link.verify());
setInterval(() => {
  if (app.shelf.tidy(Date.now())) keep({ coupons: app.shelf.kept });
  draw();
}, TICK_MS);

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("./sw.js").catch(() => {});
  navigator.serviceWorker.addEventListener("message", ({ data }) => data?.open && goTo(data.open));
}
start();
