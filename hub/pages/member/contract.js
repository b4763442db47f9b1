// The part of the store's contract that a member's terminal speaks. The source is contract/messages.py and
// contract/payloads.py; tests hold this file to them.

const PREFIX = "instore";
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const KINDS = ["points", "discount", "product"];
const STATES = ["offered", "redeemed", "expired", "withdrawn"];
const CARTS = ["open", "paying", "paid", "cancelled"];
const EXITS = ["none", "ready", "read", "used"];
export const READINGS = ["position", "speed", "acceleration", "body_temperature", "blood_pressure", "heart_rate",
  "ambient_temperature", "humidity", "air_pressure"];

export class Broken extends Error {}

export function isId(text) {
  return typeof text === "string" && ID.test(text);
}

// crypto.randomUUID exists on https only; a store's first trial is plain http.
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function topicOf(store, customer, tail) {
  return `${PREFIX}/${store}/customer/${customer}/${tail}`;
}

// A frame of the hub, as {kind: "coupon", coupon}, {kind: "cart", cart} or {kind: "request", request, id, waitS}. Throws Broken; what is for
// another customer is Broken too: this terminal acts only on its own ID.
export function decode(text, store, customer) {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    throw new Broken("not JSON");
  }
  if (typeof frame?.refused === "string") return { kind: "refused", reason: frame.refused };
  const message = frame?.message;
  need(isObject(message) && message.specversion === "1.0" && message.source === "hub", "message");
  need(typeof message.id === "string" && message.id !== "" && isObject(message.data), "message");
  need(message.data.customer === customer, "another customer's");
  if (frame.topic === topicOf(store, customer, "coupon") && message.type === "instore.member.coupon.v1") {
    return { kind: "coupon", coupon: coupon(message.data) };
  }
  if (frame.topic === topicOf(store, customer, "sensing/request") && message.type === "instore.sensing.request.v1") {
    return { kind: "request", request: request(message.data), id: message.id, waitS: waitS(message) };
  }
  if (frame.topic === topicOf(store, customer, "cart") && message.type === "instore.cart.v1") {
    return { kind: "cart", cart: cart(message.data) };
  }
  throw new Broken("unknown topic");
}

function cart(data) {
  const { lines = [], total_minor: total = 0, tax_minor: tax = 0, promise = null, payment = null, sale = null, exit_code: exit = "none", taxes = [], prices_include_tax: included = true } = data;
  need(isId(data.cart) && Number.isSafeInteger(data.revision) && data.revision >= 1 && CARTS.includes(data.state), "cart");
  need(Array.isArray(lines) && lines.every(isLine) && isAmount(total) && isAmount(tax), "lines");
  need(isNone(promise) || (isBilingual(promise.text) && isBilingual(promise.title) && typeof promise.holds === "boolean"), "promise");
  need(Array.isArray(taxes) && taxes.every((each) => isObject(each) && [each.tax_per_mille, each.taxed_minor, each.tax_minor].every(isAmount)), "taxes");
  need([payment, sale].every((id) => isNone(id) || isId(id)) && EXITS.includes(exit), "payment");
  return { ...data, lines, total_minor: total, tax_minor: tax, promise, payment, sale, exit_code: exit, taxes, prices_include_tax: included === true };
}

function isLine(line) {
  return isObject(line) && typeof line.product === "string" && isBilingual(line.name) && [line.quantity, line.price_minor, line.amount_minor].every(isAmount);
}

function isAmount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

function coupon(data) {
  need(isId(data.coupon), "coupon");
  need(isBilingual(data.title) && (isNone(data.text) || isBilingual(data.text)), "title");
  need(typeof data.code === "string" && data.code.length <= 100, "code");
  need(KINDS.includes(data.kind), "kind");
  const { state = "offered", revision = 1, amount_minor: amount = 0 } = data;
  need(STATES.includes(state) && Number.isSafeInteger(revision) && revision >= 1 && Number.isSafeInteger(amount) && amount >= 0, "state");
  return {
    coupon: data.coupon, title: bilingual(data.title), text: isNone(data.text) ? null : bilingual(data.text), code: data.code,
    kind: data.kind, amount, state, revision, from: time(data.valid_from), until: time(data.valid_until),
  };
}

function request(data) {
  need(isId(data.request), "request");
  need(Array.isArray(data.readings) && data.readings.length > 0 && data.readings.every((name) => READINGS.includes(name)), "readings");
  return { request: data.request, readings: [...new Set(data.readings)], deadline: time(data.deadline) };
}

// How long the store waits, by its own clock: a wrong clock of the phone changes nothing.
function waitS(message) {
  const sent = isNone(message.time) ? Date.now() : time(message.time);
  return Math.min(120, (time(message.data.deadline) - sent) / 1000);
}

export function sensingAnswer(customer, request, cause, { readings = {}, refused } = {}) {
  const data = { request, customer, readings, measured: new Date().toISOString() };
  if (refused !== undefined) Object.assign(data, { refused });
  return frame("instore.sensing.answer.v1", "sensing/answer", customer, data, cause);
}

export function couponKept(customer, { coupon: id, revision }) {
  return frame("instore.coupon.kept.v1", "coupon/kept", customer, { coupon: id, customer, revision });
}

export function presence(customer, event) {
  return frame("instore.terminal.presence.v1", "presence", customer, { customer, event, at: new Date().toISOString() });
}

function frame(type, tail, customer, data, cause) {
  const message = { specversion: "1.0", id: newId(), source: `customer/${customer}`, type, time: new Date().toISOString(), data };
  if (cause !== undefined) message.cause = cause;
  return (store) => JSON.stringify({ topic: topicOf(store, customer, tail), message });
}

function need(holds, what) {
  if (!holds) throw new Broken(what);
}

function isNone(value) {
  return value === undefined || value === null;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isBilingual(value) {
  return isObject(value) && [value.ja, value.en].every((text) => typeof text === "string" && text.length <= 500);
}

function bilingual({ ja, en }) {
  return { ja, en };
}

function time(text) {
  need(typeof text === "string" && TIME.test(text) && !Number.isNaN(Date.parse(text)), "time");
  return Date.parse(text);
}
