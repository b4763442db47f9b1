// The clerk's handheld as a page: wires the book, the link, the signals and the view; decides nothing itself.

import { AlertBook } from "./alert_book.js";
import { Broken, decodeAlert, decodeHubReady, encodeAnswer, isId, newId } from "./contract.js";
import { brokerUrl, Link } from "./link.js";
import { Signals } from "./signals.js";
import { View } from "./view.js";
import { Words } from "./words.js";

const TICK_MS = 250;
const LOST_AFTER_S = 3; // a short break is no alarm
const KEPT = "instore.handheld";
// Seconds of the day's clock, not of performance.now(): that one stands still while a phone sleeps.
const now = () => Date.now() / 1000;
const $ = (id) => document.getElementById(id);

const app = {
  config: null, words: new Words("ja"), book: null, link: null, connection: { kind: "connecting", since: now() },
  welcome: false, hubReady: null, broken: 0, trouble: null, lostSaid: false, clerk: "",
};
const view = new View({ onAnswer: answer });
const signals = new Signals($("flash"));

// --- what is kept on this handheld

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function keep(changes) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...changes }));
  } catch {
    // Private browsing: works until the page is closed.
  }
}

// --- in and out

// A sign-in code is this page's address with #clerk=…&password=… (as a QR code on paper, or the demo's frame). The part
// behind # is never sent to the server; it is taken off the address at once, so that no history keeps a password.
function takeSignInCode() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("clerk") || !given.has("password")) return {};
  const credentials = { clerk: given.get("clerk"), password: given.get("password") };
  keep(credentials);
  history.replaceState(null, "", location.pathname + location.search);
  return credentials;
}

async function start() {
  const given = takeSignInCode();
  const { language, clerk, password } = { ...kept(), ...given }; // in a frame of another site nothing may be kept
  app.words = new Words(language ?? (navigator.language.startsWith("ja") ? "ja" : "en"));
  try {
    app.config = await (await fetch("./config.json", { cache: "no-cache" })).json();
    if (!isId(app.config.store)) throw new Error("no store");
  } catch {
    app.config = null;
    app.trouble = "no_config";
  }
  if (app.config !== null && isId(clerk) && password) enter(clerk, password);
  draw();
}

function enter(clerk, password) {
  const { store } = app.config;
  Object.assign(app, {
    clerk, book: new AlertBook(clerk), connection: { kind: "connecting", since: now() }, welcome: false, hubReady: null,
    broken: 0, trouble: null, lostSaid: false,
  });
  app.welcome = kept().clerk === clerk && kept().password === password;
  const onState = (state) => changed(state, password);
  app.link = new Link({ url: brokerUrl(app.config, location), store, clerk, password, onState, onMessage });
  app.link.start();
  signals.keepScreenOn().then(draw);
}

function leave(trouble = null) {
  app.link?.stop();
  Object.assign(app, { link: null, book: null, trouble });
  signals.letScreenSleep();
  view.clear();
  draw();
}

// --- the link says

function changed({ kind }, password) {
  const same = app.connection.kind === kind;
  if (kind === "connected") {
    app.welcome = true;
    app.lostSaid = false;
    keep({ clerk: app.clerk, password });
    app.book.connected(now());
  } else if (!app.welcome && kind !== "away") {
    leave(kind);
    return;
  }
  const wasLost = !["connected", "connecting"].includes(app.connection.kind);
  const since = same || (wasLost && kind !== "connected") ? app.connection.since : now();
  app.connection = { kind, since };
  act();
}

function onMessage(topic, bytes) {
  try {
    if (topic === app.link.topics.alert) {
      const { alert, id, waitedS } = decodeAlert(bytes, Date.now());
      const before = app.book.get(alert.alert);
      const sending = before?.pending?.answer === "accept";
      app.book.hear(alert, id, waitedS, now());
      if (sending && app.book.get(alert.alert).status === "taken") toldTaken(alert);
    } else {
      hubSays(decodeHubReady(bytes, topic.split("/")[3]));
    }
  } catch (error) {
    app.broken += 1;
    if (!(error instanceof Broken)) console.error(error);
  }
  act();
}

function hubSays(ready) {
  const before = app.hubReady;
  app.hubReady = ready;
  if (!ready) {
    app.book.hubAway();
  } else if (before === false) {
    app.book.connected(now());
    app.link.sayReady();
  }
}

function toldTaken(alert) {
  signals.give("taken");
  view.announce(app.words.say("taken", alert.holder));
}

// --- the clerk says

function answer(alertId, said) {
  app.book.answer(alertId, said, newId(), now());
  act();
}

// --- what to do now

function act() {
  if (app.book === null) return;
  const { buzz, send } = app.book.due(now(), app.link.connected);
  const entries = buzz.map((id) => app.book.get(id));
  if (entries.length > 0) {
    // Several at once sound as one, the more special first.
    const kinds = ["special_treatment", "lane", "service_request", "coupon"];
    const loudest = entries.reduce((a, b) => (kinds.indexOf(b.alert.kind) < kinds.indexOf(a.alert.kind) ? b : a));
    signals.give(loudest.alert.kind);
    view.announce(app.words.say("announce", app.words.say(loudest.alert.kind), app.words.of(loudest.alert.message)));
  }
  for (const pending of send) app.link.publish(app.link.topics.answer, encodeAnswer(app.clerk, pending));
  const lost = !["connected", "connecting"].includes(app.connection.kind);
  if (lost && !app.lostSaid && app.welcome && now() - app.connection.since > LOST_AFTER_S) {
    app.lostSaid = true;
    signals.give("lost");
  }
  draw();
}

function draw() {
  const first = app.link !== null && !app.welcome;
  if (app.link === null || first) {
    const away = first && app.connection.kind === "away" ? "away" : null;
    const trouble = app.trouble ?? away;
    view.signIn(app.words, trouble && app.words.say(trouble, `clerk-${app.clerk}`), first && app.connection.kind === "connecting");
    return;
  }
  view.board(app.words, {
    clerk: app.clerk, connection: app.connection, hubReady: app.hubReady, now: now(), rows: app.book.rows(now()),
    soundReady: signals.soundReady, screenKept: signals.screenKept, broken: app.broken,
    currency: app.config.currency ?? "JPY",
  });
}

// --- events of the page

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const clerk = $("clerk").value.trim();
  if (app.config === null) return;
  app.link?.stop();
  if (isId(clerk)) enter(clerk, $("password").value);
  else app.trouble = "bad_id";
  draw();
});
$("sign-out").addEventListener("click", () => {
  keep({ clerk: undefined, password: undefined });
  $("password").value = "";
  leave();
});
$("language").addEventListener("click", () => {
  app.words = new Words(app.words.next);
  keep({ language: app.words.language });
  draw();
});
for (const touch of ["pointerup", "keydown"]) {
  document.addEventListener(touch, () => {
    if (signals.soundReady) return;
    signals.enableSound();
    setTimeout(draw, 100);
  });
}
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible" || app.link === null) return;
  app.link.hurry();
  signals.keepScreenOn().then(draw);
});
window.addEventListener("online", () => app.link?.hurry());
setInterval(act, TICK_MS);

if ("serviceWorker" in navigator) navigator.serviceWorker.register("./sw.js").catch(() => {});
start();
