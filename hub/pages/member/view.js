// Draws the state of the app. Text reaches the page by textContent alone: a name is never markup.

import { $, make, picture, set } from "../shared/dom.js";

const VIEWS = ["loading", "register", "sign-in", "claim", "home"];
const ASKED_NOW_MS = 60_000; // so long it is said on top of every screen that readings were sent
const GENDERS = ["", "female", "male", "other"];
export class View {
  // `on` has: consent(purpose, given), open(coupon)
  constructor(on) {
    this._on = on;
    this._drawn = {};
  }

  show(words, view, { store, trouble }) {
    document.documentElement.lang = words.language;
    document.title = words.say("title");
    document.body.dataset.view = view;
    for (const each of VIEWS) $(each).hidden = each !== view;
    $("tabs").hidden = view !== "home";
    set($("store"), words.of(store?.name) || words.say("title"));
    set($("language"), words.say("other_language"));
    $("language").ariaLabel = words.say("language");
    set($("loading-text"), trouble ?? words.say("loading"));
  }

  announce(text) {
    set($("announce"), text);
  }

  // --- registration and sign-in

  register(words, about, { busy, trouble, problems }) {
    set($("register-title"), words.say("register"));
    set($("register-hint"), words.say("register_hint"));
    set($("to-sign-in"), words.say("have"));
    set($("consents-title"), words.say("consents"));
    set($("consents-hint"), words.say("consents_hint"));
    set($("join"), words.say(busy ? "busy" : "join"));
    $("join").disabled = busy;
    this._trouble($("register-trouble"), trouble ?? (problems.length > 0 ? words.say("check") : null));
    this._fields(words, about);
    this._choices($("choices"), words, about.purposes, "choice");
    this.problems(words, problems, $("register"));
  }

  _trouble(element, text) {
    element.hidden = !text;
    set(element, text ?? "");
  }

  // Made once for each language; what was typed stays.
  _fields(words, about) {
    const as = `${words.language} ${about.store.id}`;
    if (this._drawn.fields === as) return;
    this._drawn.fields = as;
    const typed = this.form();
    const field = (name, input, hint = "") => make("label", {},
      make("span", { textContent: words.say(name) }), Object.assign(input, { id: `field-${name}`, name }),
      hint ? make("small", { textContent: hint }) : null,
      Object.assign(make("p", { className: "problem", hidden: true }), { role: "alert" }));
    const input = (more) => make("input", { maxLength: 254, ...more });
    const gender = make("select", {}, ...GENDERS.map((value) => make("option", { value, textContent: words.say("genders")[value] })));
    $("fields").replaceChildren(
      field("name", input({ autocomplete: "name", maxLength: 100, required: true })),
      field("phone", input({ autocomplete: "tel", type: "tel", maxLength: 40 })),
      field("email", input({ autocomplete: "email", type: "email" }), words.say("reach_hint")),
      field("birth_year", input({ autocomplete: "bday-year", inputMode: "numeric", maxLength: 4 })),
      field("gender", gender),
    );
    for (const label of $("fields").children) label.lastChild.dataset.problem = label.querySelector("input, select").name;
    for (const [name, value] of Object.entries(typed)) if ($(`field-${name}`)) $(`field-${name}`).value = value;
  }

  form() {
    return Object.fromEntries([...$("fields").querySelectorAll("input, select")].map((each) => [each.name, each.value]));
  }

  _choices(box, words, purposes, prefix) {
    const as = `${words.language} ${purposes.map((each) => each.wording)}`;
    if (this._drawn[prefix] === as) return;
    this._drawn[prefix] = as;
    const ticked = new Set([...box.querySelectorAll("input:checked")].map((each) => each.value));
    box.replaceChildren(...purposes.map(({ purpose, wording, title, text }) => {
      const box = make("input", { type: "checkbox", id: `${prefix}-${purpose}`, value: purpose, checked: ticked.has(purpose) });
      box.dataset.wording = wording;
      box.setAttribute("role", "switch");
      return make("label", { className: "choice" }, box,
        make("span", {}, make("strong", { textContent: words.of(title) }), make("small", { textContent: words.of(text) })));
    }));
  }

  consents() {
    return Object.fromEntries([...$("choices").querySelectorAll("input:checked")].map((each) => [each.value, each.dataset.wording]));
  }

  problems(words, problems, within) {
    let first = null;
    for (const place of within.querySelectorAll("[data-problem]")) {
      const problem = problems.find(({ field }) => field === place.dataset.problem);
      place.hidden = problem === undefined;
      set(place, problem === undefined ? "" : words.of(problem));
      const input = place.closest("label, fieldset")?.querySelector("input, select") ?? place.previousElementSibling?.querySelector?.("input");
      input?.setAttribute("aria-invalid", String(problem !== undefined));
      if (problem !== undefined) first ??= input;
    }
    return first;
  }

  signIn(words, { busy, problems }) {
    set($("sign-in-title"), words.say("sign_in"));
    set($("sign-in-hint"), words.say("sign_in_hint"));
    set($("contact-label"), words.say("contact"));
    set($("ask"), words.say(busy ? "busy" : "ask"));
    $("ask").disabled = busy;
    set($("to-register"), words.say("to_register"));
    this.problems(words, problems.map((each) => ({ ...each, field: "contact" })), $("sign-in"));
  }

  claim(words, claim, { mail, busy, problems }) {
    set($("claim-title"), words.say("claim"));
    set($("claim-hint"), words.say("claim_counter", claim.minutes) + (mail ? words.say("claim_mail") : ""));
    set($("claim-number"), `${claim.number.slice(0, 4)} ${claim.number.slice(4)}`);
    $("code-form").hidden = !mail;
    set($("code-label"), words.say("code"));
    set($("send-code"), words.say(busy ? "busy" : "send_code"));
    $("send-code").disabled = busy;
    set($("claim-back"), words.say("back"));
    this.problems(words, problems.map((each) => ({ ...each, field: "code" })), $("claim"));
  }

  // --- signed in

  home(words, scene) {
    this._connection(words, scene);
    this._tabs(words, scene);
    this._card(words, scene);
    this._asked(words, scene.answered[0], scene.now);
    this._coupons(words, scene);
    this._settings(words, scene);
  }

  _connection(words, { connection, now }) {
    const { kind, since } = connection;
    set($("state"), words.say(kind));
    $("state").dataset.kind = kind;
    const lost = kind === "away" && now - since > 3000;
    $("lost").hidden = !lost;
    set($("lost"), lost ? words.say("lost", words.clock(since)) : "");
  }

  noConnection() {
    set($("state"), "");
    delete $("state").dataset.kind;
  }

  _tabs(words, { tab, shelf, arrived }) {
    for (const button of $("tabs").children) {
      const chosen = button.dataset.tab === tab;
      button.setAttribute("aria-selected", String(chosen));
      set(button.querySelector("span"), words.say(button.dataset.tab));
      $(`tab-${button.dataset.tab}`).hidden = !chosen;
    }
    $("badge").hidden = shelf.fresh === 0;
    set($("badge"), String(shelf.fresh));
    const news = arrived === null ? null : shelf.get(arrived);
    $("arrival").hidden = news === null;
    if (news !== null) set($("arrival"), `${words.say("arrived", words.of(news.title))} — ${words.say("show")}`);
  }

  _card(words, { me, pending, now }) {
    $("joined-before").hidden = pending === null || pending.until < now;
    set($("joined-before"), words.say("joined_before"));
    set($("greeting"), words.say("greeting", me.name));
    picture($("member-code"), me.code.svg);
    $("member-code").alt = words.say("member_code");
    set($("code-hint"), words.say("code_hint"));
    set($("points"), words.say("points", words.number(me.points)));
    set($("number"), words.say("number", me.customer));
  }

  _asked(words, last, now) {
    const recent = last !== undefined && now - last.at < ASKED_NOW_MS;
    $("asked-now").hidden = !recent;
    set($("asked-now"), recent ? `${this._said(words, last).what}${words.say("stop")}${last.refused ? "" : words.say("sent_briefly")}` : "");
    $("asked").hidden = last === undefined;
    if (last === undefined) return;
    const { what, values } = this._said(words, last);
    set($("asked-what"), what);
    $("asked-values").replaceChildren(...values.map((text) => make("li", { textContent: text })));
    set($("asked-why"), words.say("sent_why"));
  }

  _said(words, { at, refused, readings }) {
    const time = words.clock(at);
    if (refused) return { what: words.say(refused === "no_consent" ? "sent_refused" : "sent_none", time), values: [] };
    const names = Object.keys(readings);
    return {
      what: words.say("sent", time, names.map((name) => words.say("readings")[name]).join(words.say("and"))),
      values: names.map((name) => words.reading(name, readings[name])),
    };
  }

  // What her exits have brought, on paper and as points too.
  _brought(words, { brought = [] }) {
    $("brought").hidden = brought.length === 0;
    set("brought-title", words.say("brought"));
    const as = JSON.stringify([words.language, brought]);
    if (this._drawn.brought === as) return;
    this._drawn.brought = as;
    $("brought-list").replaceChildren(...brought.map(({ day, title, points }) => make("li", {},
      make("span", { textContent: words.of(title) + (points > 0 ? ` — ${words.say("brought_points", words.number(points))}` : "") }),
      make("small", { textContent: words.day(Date.parse(`${day}T12:00`)) }))));
  }

  _coupons(words, { shelf, me, now }) {
    this._brought(words, me);
    set($("coupons-title"), words.say("coupons"));
    const rows = shelf.rows(now);
    $("no-coupons").hidden = rows.length > 0;
    set($("no-coupons-title"), words.say("none"));
    set("coupon-read", words.say("coupon_read"));
    set($("no-coupons-hint"), words.say("none_hint"));
    const as = JSON.stringify([words.language, rows.map((each) => [each.coupon, each.revision, each.fresh, shelf.stateOf(each, now)])]);
    if (this._drawn.coupons === as) return;
    this._drawn.coupons = as;
    $("coupons").replaceChildren(...rows.map((coupon) => this._row(words, coupon, shelf.stateOf(coupon, now))));
  }

  _row(words, coupon, state) {
    const when = { offered: () => words.say("until", words.day(coupon.until)), later: () => words.say("from", words.day(coupon.from)) };
    const button = make("button", { type: "button", className: "coupon", disabled: !(state in when), onclick: () => this._on.open(coupon.coupon) },
      make("strong", { textContent: words.of(coupon.title) }),
      coupon.text === null ? null : make("span", { textContent: words.of(coupon.text) }),
      make("small", { textContent: (when[state] ?? (() => words.say(state)))() }),
      coupon.fresh ? make("b", { className: "new", textContent: words.say("new") }) : null);
    Object.assign(button.dataset, { coupon: coupon.coupon, state });
    return make("li", {}, button);
  }

  coupon(words, coupon) {
    set($("coupon-title"), words.of(coupon.title));
    set($("coupon-text"), words.of(coupon.text) || words.say("show_at_till"));
    picture($("coupon-code"), coupon.svg);
    $("coupon-code").alt = coupon.code;
    $("coupon-code").parentElement.hidden = !coupon.svg;
    set($("coupon-digits"), grouped(coupon.code));
    set($("coupon-until"), words.say("until", words.day(coupon.until)));
    set($("coupon-close"), words.say("close"));
    if (!$("coupon").open) $("coupon").showModal();
  }

  _settings(words, { me, senses, signals, push, answered, trouble, sure, connection }) {
    set($("settings-title"), words.say("settings"));
    set($("agreed-title"), words.say("agreed"));
    set($("agreed-hint"), words.say("agreed_hint"));
    this._choices($("agreed"), words, me.purposes, "agreed");
    for (const box of $("agreed").querySelectorAll("input")) {
      box.checked = me.consents[box.value] === true;
      box.disabled = connection.kind !== "connected";
      box.onchange = () => this._on.consent(box.value, box.checked, box.dataset.wording);
    }
    this._trouble($("agreed-trouble"), trouble);
    set($("devices-title"), words.say("devices"));
    this._push(words, push, signals);
    $("strap").hidden = !senses.hasStraps || !me.consents.sensing;
    set($("strap"), words.say("strap"));
    set($("strap-state"), words.say(`strap_${senses.strap}`));
    $("devices").hidden = ["notify", "notify-end", "notify-state", "strap"].every((id) => $(id).hidden);
    set($("history-title"), words.say("history"));
    set($("history-none"), answered.length > 0 ? "" : words.say("history_none"));
    $("history-list").replaceChildren(...answered.map((each) => make("li", { textContent: this._said(words, each).what })));
    this._record(words, me);
    set($("earlier"), words.say("earlier"));
    set($("sign-out"), words.say(sure ? "sign_out_sure" : "sign_out"));
  }

  // Pushed when the page is closed, where the store and the browser can; else shown while it is open.
  _push(words, push, signals) {
    const { state, busy } = push;
    $("notify").hidden = !(["off", "failed"].includes(state) || (["none", "unknown"].includes(state) && signals.canAskToNotify));
    $("notify").disabled = busy;
    set("notify", words.say(state === "none" ? "notify" : "push_begin"));
    $("notify-end").hidden = state !== "on";
    $("notify-end").disabled = busy;
    set("notify-end", words.say("push_end"));
    const told = { on: "push_on", refused: "push_refused", failed: "push_failed" }[state];
    const text = told !== undefined ? words.say(told) : state === "off" ? words.of(push.store.text) : "";
    $("notify-state").hidden = text === "";
    set("notify-state", text);
  }

  _record(words, me) {
    set($("record-title"), words.say("record"));
    const shown = [["name", me.name], ["phone", me.phone], ["email", me.email], ["birth_year", me.birth_year ?? ""],
      ["gender", words.say("genders")[me.gender] ?? me.gender]].filter(([, value]) => value !== "");
    $("record").replaceChildren(...shown.flatMap(([name, value]) => [
      make("dt", { textContent: words.say(name).replace(/[((].*/, "") }), make("dd", { textContent: String(value) })]));
  }
}

// A number as people read it out and type it, four signs at a time. Tills take it with and without spaces.
function grouped(code) {
  return /^[A-Z][0-9A-F]{16}$/.test(code) ? `${code[0]}\u00a0${code.slice(1).match(/.{4}/g).join(" ")}` : code;
}
