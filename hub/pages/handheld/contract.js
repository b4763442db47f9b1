// The part of the store's contract that a handheld speaks: topics, the CloudEvents envelope, and a check of what arrives.
// The source is contract/messages.py and contract/payloads.py; tests hold this file to them.

const PREFIX = "instore";
const MAX_BYTES = 64 * 1024;
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const STATES = ["offered", "accepted", "declined", "expired", "closed"];
const KINDS = ["service_request", "special_treatment", "coupon", "lane"];
const ROLES = ["main", "deputy", "group"];
const OUTCOMES = ["served", "not_found", "bought"];
const HISTORY_MAX = 10;

// A message that breaks the contract. `reason` is a short word for counters.
export class Broken extends Error {
  constructor(reason, detail) {
    super(detail);
    this.reason = reason;
  }
}

export function isId(text) {
  return typeof text === "string" && ID.test(text);
}

export function topics(store, clerk) {
  const own = `${PREFIX}/${store}/clerk/${clerk}`;
  return { alert: `${own}/alert`, answer: `${own}/answer`, status: `${own}/status`, hub: `${PREFIX}/${store}/hub/+/status` };
}

// crypto.randomUUID exists on https only; a store's first trial is plain http.
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function encodeAnswer(clerk, pending) {
  return envelope("instore.alert.answer.v1", clerk, pending.id, { alert: pending.alert, answer: pending.answer }, pending.cause);
}

export function encodeStatus(clerk, state) {
  return envelope("instore.clerk.status.v1", clerk, newId(), { state });
}

function envelope(type, clerk, id, data, cause) {
  const head = { specversion: "1.0", id, source: `clerk/${clerk}`, type, time: new Date().toISOString() };
  return JSON.stringify(cause === undefined ? { ...head, data } : { ...head, cause, data });
}

// An alert for this clerk, as `{alert, id, waitedS}`. `nowMs` is the time of day, used only when the message has none:
// a wrong clock of the handheld changes no waiting time. Throws Broken.
export function decodeAlert(bytes, nowMs) {
  const read = open(bytes, "instore.alert.v1", "hub");
  const data = read.data;
  need(isId(data.alert), "data.alert");
  need(KINDS.includes(data.kind), "data.kind");
  need(STATES.includes(data.state), "data.state");
  need(ROLES.includes(data.role), "data.role");
  need(isNone(data.holder) || isId(data.holder), "data.holder");
  need(isNone(data.outcome) || OUTCOMES.includes(data.outcome), "data.outcome");
  need(isNone(data.suggested) || OUTCOMES.includes(data.suggested), "data.suggested");
  need(isBilingual(data.message), "data.message");
  for (const key of ["holder_name", "place"]) need(data[key] === undefined || isText(data[key]), `data.${key}`);
  if (!isNone(data.expires)) time(data.expires, "data.expires");
  const revision = data.revision === undefined ? 1 : data.revision;
  need(Number.isInteger(revision) && revision >= 1, "data.revision");
  const raisedMs = time(data.raised, "data.raised");
  const sentMs = read.time === undefined || read.time === null ? nowMs : time(read.time, "time");
  const alert = {
    alert: data.alert, kind: data.kind, state: data.state, role: data.role, holder: data.holder ?? null, revision,
    message: { ja: data.message.ja, en: data.message.en }, customer: card(data.customer), outcome: data.outcome ?? null,
    suggested: data.suggested ?? null,
    holder_name: data.holder_name ?? "", place: data.place ?? "", coupon: coupon(data.coupon),
  };
  return { alert, id: read.id, waitedS: (sentMs - raisedMs) / 1000 };
}

// Whether the hub says that it is there. Throws Broken.
export function decodeHubReady(bytes, hub) {
  const { data } = open(bytes, "instore.hub.status.v1", `hub/${hub}`);
  need(["ready", "disconnected", "lost"].includes(data.state), "data.state");
  return data.state === "ready";
}

function card(customer) {
  if (isNone(customer)) return null; // the request is about a place
  need(isObject(customer) && isId(customer.customer), "data.customer.customer");
  need(isText(customer.name), "data.customer.name");
  const own = { customer: customer.customer, name: customer.name };
  for (const key of ["rank", "note", "preferences"]) {
    own[key] = customer[key] === undefined ? "" : customer[key];
    need(isText(own[key]), `data.customer.${key}`);
  }
  for (const key of ["visits", "average_purchase_minor", "points"]) {
    own[key] = customer[key] === undefined ? 0 : customer[key];
    need(isCount(own[key]), `data.customer.${key}`);
  }
  const history = customer.history === undefined ? [] : customer.history;
  need(Array.isArray(history) && history.length <= HISTORY_MAX, "data.customer.history");
  own.history = history.map((line, index) => {
    const amount = isObject(line) && line.amount_minor !== undefined ? line.amount_minor : 0;
    const fits = isObject(line) && typeof line.day === "string" && DAY.test(line.day) && isText(line.products) && isCount(amount);
    need(fits, `data.customer.history.${index}`);
    return { day: line.day, products: line.products, amount_minor: amount };
  });
  return own;
}

function coupon(given) {
  if (isNone(given)) return null;
  need(isObject(given) && isId(given.coupon) && isBilingual(given.title), "data.coupon");
  if (!isNone(given.valid_until)) time(given.valid_until, "data.coupon.valid_until");
  return { coupon: given.coupon, title: { ja: given.title.ja, en: given.title.en }, valid_until: given.valid_until ?? null };
}

function open(bytes, type, source) {
  if (bytes.length > MAX_BYTES) throw new Broken("too_large", `${bytes.length} bytes`);
  let read;
  try {
    read = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Broken("not_json", "this is no JSON");
  }
  need(isObject(read) && read.specversion === "1.0", "specversion");
  need(read.type === type, "type");
  need(typeof read.id === "string" && read.id.length >= 1 && read.id.length <= 128, "id");
  need(isObject(read.data), "data");
  if (read.source !== source) throw new Broken("wrong_source", `only ${source} may speak here`);
  return read;
}

function need(fits, where) {
  if (!fits) throw new Broken("schema", `${where} does not fit the contract`);
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNone(value) {
  return value === undefined || value === null;
}

function isCount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

function isBilingual(value) {
  return isObject(value) && isText(value.ja) && isText(value.en);
}

function isText(value) {
  return typeof value === "string" && (value.length <= 500 || [...value].length <= 500);
}

function time(value, where) {
  const read = typeof value === "string" && TIME.test(value) ? Date.parse(value) : NaN;
  need(!Number.isNaN(read), where);
  return read;
}
