// Draws the state of the app. Text reaches the page by textContent alone, so a customer's name is never markup.

import { clock } from "./words.js";

const SHIELD_MS = 350;
// What the buttons of a card say and do, by the alert's status to this clerk: the large one, then the small ones.
const BUTTONS = {
  open: [["accept", "accept"], ["decline", "decline"]],
  mine: [["served", "served"], ["bought", "bought"], ["not_found", "not_found"], ["give_back", "decline"]],
  declined: [null, ["accept_after_all", "accept"]],
};

const $ = (id) => document.getElementById(id);

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class View {
  constructor({ onAnswer }) {
    this._onAnswer = onAnswer;
    this._cards = new Map();
    this._shieldEnd = null;
  }

  signIn(words, trouble, busy) {
    this._frame(words, "sign-in");
    set($("who"), "");
    set($("sign-in-title"), words.say("title"));
    set($("label-clerk"), words.say("clerk_id"));
    set($("label-password"), words.say("password"));
    set($("enter"), words.say(busy ? "signing_in" : "sign_in"));
    $("enter").disabled = busy;
    set($("sign-in-trouble"), trouble ?? "");
    $("sign-in-trouble").hidden = !trouble;
  }

  board(words, scene) {
    this._frame(words, "board");
    set($("who"), scene.clerk);
    this._connection(words, scene);
    this._footer(words, scene);
    const open = scene.rows.filter((entry) => entry.status === "open").length;
    set($("open-count"), open > 0 ? words.say("open_count", open) : "");
    $("nothing").hidden = scene.rows.length > 0;
    set($("nothing-title"), words.say("none"));
    set($("nothing-hint"), words.say("none_hint"));
    this._list(words, scene);
  }

  announce(text) {
    set($("announce"), text);
  }

  clear() {
    for (const card of this._cards.values()) card.root.remove();
    this._cards.clear();
    set($("announce"), "");
  }

  _frame(words, view) {
    document.body.dataset.view = view;
    document.documentElement.lang = words.language;
    document.title = words.say("title");
    $("sign-in").hidden = view !== "sign-in";
    $("board").hidden = view !== "board";
    set($("language"), words.say("other_language"));
    $("language").setAttribute("aria-label", words.say("language"));
    if (view !== "board") {
      set($("state"), "");
      set($("open-count"), "");
    }
  }

  _connection(words, scene) {
    const { kind, since } = scene.connection;
    set($("state"), words.say(kind === "connected" ? "connected" : kind === "connecting" ? "connecting" : "offline"));
    $("state").dataset.kind = kind;
    document.body.dataset.connected = String(kind === "connected");
    $("lost").hidden = kind === "connected" || kind === "connecting";
    set($("lost-title"), words.say("not_connected"));
    set($("lost-since"), clock(scene.now - since));
    if (!$("lost").hidden) set($("lost-why"), words.say(kind, `clerk-${scene.clerk}`));
    $("hub-away").hidden = scene.hubReady !== false || kind !== "connected";
    set($("hub-away"), words.say("hub_away"));
    $("sound").hidden = scene.soundReady;
    set($("sound"), words.say("enable_sound"));
  }

  _footer(words, scene) {
    set($("screen"), words.say(scene.screenKept ? "screen_on" : "screen_off"));
    set($("broken"), words.say("broken", scene.broken));
    $("broken").hidden = scene.broken === 0;
    set($("sign-out"), words.say("sign_out"));
  }

  _list(words, scene) {
    const seen = new Set();
    let before = null;
    for (const entry of scene.rows) {
      seen.add(entry.id);
      const card = this._cards.get(entry.id) ?? this._newCard(entry.id);
      this._place(card.root, before);
      this._fill(card, words, entry, scene);
      before = card.root;
    }
    for (const [id, card] of this._cards) {
      if (seen.has(id)) continue;
      card.root.remove();
      this._cards.delete(id);
      this._shield();
    }
  }

  _place(root, before) {
    const list = $("alerts");
    const wanted = before === null ? list.firstElementChild : before.nextElementSibling;
    if (wanted === root) return;
    list.insertBefore(root, wanted);
    this._shield();
  }

  // What moves under a thumb must not be pressed by a tap that was meant for something else.
  _shield() {
    $("alerts").classList.add("shield");
    clearTimeout(this._shieldEnd);
    this._shieldEnd = setTimeout(() => $("alerts").classList.remove("shield"), SHIELD_MS);
  }

  _newCard(id) {
    const root = $("card").content.firstElementChild.cloneNode(true);
    const find = (selector) => root.querySelector(selector);
    const card = {
      root, article: find("article"), kind: find(".kind"), role: find(".role"), waitWord: find(".wait-word"), wait: find("time"),
      name: find(".name"), message: find(".message"), rank: find(".rank"), visits: find(".visits"), points: find(".points"),
      average: find(".average"), note: find(".note"), standing: find(".standing"), place: find(".place"),
      coupon: find(".coupon"), preferences: find(".preferences"), history: find(".history"), bought: find(".history ul"),
      buttons: [find(".act"), ...root.querySelectorAll(".second")],
    };
    root.dataset.alert = id;
    for (const button of card.buttons) button.addEventListener("click", () => this._onAnswer(id, button.dataset.answer));
    this._cards.set(id, card);
    return card;
  }

  _fill(card, words, entry, scene) {
    const { alert } = entry;
    const { customer } = alert; // none when it is about a place
    Object.assign(card.article.dataset, { status: entry.status, kind: alert.kind });
    set(card.kind, words.say(alert.kind));
    set(card.role, words.say(alert.role));
    set(card.waitWord, words.say("waiting"));
    set(card.wait, clock(scene.now - entry.since));
    set(card.name, customer === null ? alert.place : words.say("name", customer.name || customer.customer));
    set(card.message, words.of(alert.message));
    this._optional(card.rank, customer?.rank ?? "");
    this._optional(card.visits, customer === null ? "" : words.say("visits", words.count(customer.visits)));
    this._optional(card.points, customer === null ? "" : words.say("points", words.count(customer.points)));
    const spent = customer?.average_purchase_minor ?? 0;
    this._optional(card.average, spent > 0 ? words.say("average", words.money(spent, scene.currency)) : "");
    this._optional(card.note, customer?.note ?? "");
    this._optional(card.place, alert.place === "" || customer === null ? "" : words.say("place", alert.place));
    this._optional(card.coupon, alert.coupon === null ? "" : words.say("recommend", words.of(alert.coupon.title)));
    const likes = customer?.preferences ?? "";
    this._optional(card.preferences, likes === "" ? "" : words.say("preferences", likes));
    this._history(card, words, customer?.history ?? [], scene.currency);
    this._optional(card.standing, this._standing(words, entry));
    const wanted = (BUTTONS[entry.status] ?? []).filter((one) => customer !== null || one?.[1] !== "bought");
    card.buttons.forEach((button, index) => this._button(button, wanted[index], words, entry));
  }

  _history(card, words, lines, currency) {
    card.history.hidden = lines.length === 0;
    set(card.history.querySelector("summary"), words.say("history"));
    const texts = lines.map((line) => {
      const amount = line.amount_minor > 0 ? `  ${words.money(line.amount_minor, currency)}` : "";
      return `${words.day(line.day)}  ${line.products}${amount}`;
    });
    if (card.bought.dataset.shown === JSON.stringify(texts)) return;
    card.bought.dataset.shown = JSON.stringify(texts);
    card.bought.replaceChildren(...texts.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  }

  _standing(words, entry) {
    if (entry.status === "taken") return words.say("taken", entry.alert.holder_name || entry.alert.holder);
    if (entry.status === "over" && entry.alert.outcome !== null) return words.say(`over_${entry.alert.outcome}`);
    if (entry.status !== "open") return words.say(entry.status);
    return entry.confirmed ? "" : words.say("unconfirmed");
  }

  _button(button, wanted, words, entry) {
    button.hidden = !wanted;
    if (!wanted) return;
    const [word, answer] = wanted;
    const sending = entry.pending?.answer === answer;
    button.dataset.answer = answer;
    button.disabled = entry.pending !== null;
    set(button, words.say(sending ? "sending" : word));
  }

  _optional(element, text) {
    set(element, text);
    element.hidden = text === "";
  }
}
