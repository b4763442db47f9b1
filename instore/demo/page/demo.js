// The demo's page: draws what happens. Everything comes over one event stream; texts are set as text, never as markup.
const $ = (id) => document.getElementById(id);
const set = (id, text) => { $(id).textContent = text; };
const NAMES = { ":1:1": "山田 花子 ★", ":1:2": "John Smith", ":1:3": "鈴木 一郎" };
const BIG = /alert|lane|settled|visit|shopper/;
const states = new Map();
let clock = {};

function flash(id, ms = 1500) {
  const element = $(id);
  element.classList.add("live");
  clearTimeout(element.timer);
  element.timer = setTimeout(() => element.classList.remove("live"), ms);
}

function person(x, y, name) {
  const figure = $("person");
  figure.style.transform = `translate(${x}px, ${y}px)`;
  figure.style.opacity = name === null ? 0 : 1;
  if (name) set("t-person", name);
}

function gate(open, text) {
  $("n-gate").classList.toggle("open", open);
  set("t-gate", text);
}

function time(label, from, to) {
  if (from === undefined || to === undefined) return;
  const item = document.createElement("span");
  const value = document.createElement("b");
  value.textContent = `${Math.round(to - from)} ms`;
  item.append(`${label} `, value);
  item.dataset.label = label;
  document.querySelector(`#times [data-label="${CSS.escape(label)}"]`)?.remove();
  $("times").append(item);
}

function event(happening) {
  const { type, message, t_ms: now } = happening;
  const data = message.data ?? {};
  switch (type) {
    case "instore.demo.shopper":
      person(70, 230, message.does === "comes" ? message.name : null);
      if (message.does === "comes") { clock = {}; $("times").replaceChildren(); }
      break;
    case "instore.sighting.v1":
      flash("n-entrance"); flash("w-sight");
      set("t-beacon", `${data.event}${data.distance_m ? `, ${data.distance_m.toFixed(1)} m` : ""}`);
      if (data.event === "arrived") { clock.sighting = now; person(125, 160, NAMES[data.beacon?.slice(-4)] ?? "unknown"); }
      break;
    case "instore.visit.opened.v1": flash("n-hub"); set("t-hub", data.good ? "a good customer ★" : "a visit"); person(330, 180, ""); break;
    case "instore.alert.v1":
      flash("n-handheld", 4000); flash("w-alert");
      set("t-handheld", `${data.kind === "special_treatment" ? "bring a drink: " : ""}${data.state === "accepted" ? `held by ${data.holder}` : data.state}`);
      if (data.state === "offered" && data.kind === "service_request") time("sighting → handheld", clock.sighting, now);
      break;
    case "instore.treatment.decided.v1": flash("n-hub"); set("t-hub", data.treatment ? `special treatment: ${data.treatment}` : "nothing unusual"); break;
    case "instore.demo.phones":
      flash("n-phone", 3000); flash("w-phone");
      if (message.event === "answered") set("t-phone", "says how she is 体調を伝える");
      if (message.event === "coupon") set("t-phone", `coupon クーポン ${message.state}`);
      break;
    case "instore.alert.answer.v1": flash("w-answer"); break;
    case "instore.lane.scan.v1": clock.scan = now; flash("n-reader"); flash("w-scan"); set("t-reader", "code read"); person(760, 200, ""); break;
    case "instore.lane.decision.v1": flash("n-hub"); flash("w-decide"); set("t-hub", data.incentive?.title?.ja ?? data.outcome); break;
    case "instore.lane.printed.v1": flash("n-printer"); set("t-printer", data.outcome); time("code → coupon printed", clock.scan, now); break;
    case "instore.lane.opened.v1": gate(true, "open"); time("code → gate open", clock.scan, now); person(645, 235, ""); break;
    case "instore.lane.passage.v1": gate(false, data.outcome); person(500, 320, null); set("t-reader", "waiting"); break;
    case "instore.lane.refused.v1": flash("n-reader"); set("t-reader", `refused: ${data.reason}`); break;
    case "instore.incentive.settled.v1": flash("n-hub"); set("t-hub", `coupon ${data.outcome}`); break;
    case "instore.demo.gate":
      if (message.event === "closed") gate(false, "closed");
      if (message.event === "opened") gate(true, "open");
      break;
    case "instore.demo.printer": if (message.event === "printed" && message.png) receipt(message.png); break;
    case "instore.device.status.v1": device(happening.device, data); break;
    case "instore.demo.process": state(message.name, message.state === "started", message.state); break;
  }
}

function device(name, data) {
  const bad = data.power !== "online" || data.flags?.some((f) => /empty|open$|fire|malfunction|blocked|error|no_answer/.test(f) && f !== "gate_open");
  const node = { "printer-1": "n-printer", "reader-1": "n-reader", "gate-1": "n-gate", beacons: "n-entrance" }[name];
  if (node) $(node).classList.toggle("down", Boolean(bad));
  if (name === "printer-1") set("t-printer", [data.power, ...(data.flags ?? [])].join(" "));
  state(name, !bad, [data.power, ...(data.flags ?? [])].join(" "));
}

function state(name, good, text) {
  states.set(name, { good, text });
  $("devices").replaceChildren(...[...states].map(([key, value]) => {
    const item = document.createElement("li");
    item.className = value.good ? "" : "bad";
    item.textContent = `${key}: ${value.text}`;
    return item;
  }));
}

function receipt(path) {
  const picture = document.createElement("img");
  picture.src = `receipts/${encodeURIComponent(path.split("/").pop())}`;
  picture.alt = "printed coupon";
  const box = $("receipts");
  box.querySelector("p")?.remove();
  box.prepend(picture);
  while (box.children.length > 3) box.lastChild.remove();
}

function line(happening) {
  if (!happening.said) return;
  const who = happening.said.slice(0, 11).trim();
  const item = document.createElement("li");
  for (const [text, kind] of [[(happening.t_ms / 1000).toFixed(1), ""], [who, "who"], [happening.said.slice(11), ""]]) {
    const part = document.createElement("span");
    part.textContent = text;
    part.className = kind;
    item.append(part);
  }
  if (BIG.test(happening.type)) item.className = "big";
  if (/died|off_offline|refused|gave up|fault/.test(happening.said)) item.className = "bad";
  $("events").prepend(item);
  while ($("events").children.length > 200) $("events").lastChild.remove();
}

for (const button of document.querySelectorAll(".faults button")) {
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", async () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    const answer = await fetch(`fault/${on ? button.dataset.on : button.dataset.off}`, { method: "POST", headers: { "X-Instore-Demo": "1" } });
    if (answer.ok) button.setAttribute("aria-pressed", String(on));
  });
}

const stream = new EventSource("events");
stream.onopen = () => { $("link").className = "on"; set("link", "live ・ 実況中"); };
stream.onerror = () => { $("link").className = "off"; set("link", "not connected ・ 未接続"); };
stream.onmessage = ({ data }) => { const happening = JSON.parse(data); line(happening); event(happening); };

const info = await (await fetch("info")).json();
set("clerk", info.clerk);
set("sign", "Press the green button when a request comes; after eight seconds a simulated clerk does. ・ 8秒以内に「対応する」を押せます");
// Whoever is quick is here before the programs are: a frame that could not load stays empty for ever.
async function there(url) {
  while (!(await fetch(url, { mode: "no-cors" }).then(() => true, () => false))) await new Promise((go) => setTimeout(go, 300));
}
$("display-link").href = info.display;
there(info.display).then(() => ($("display").src = info.display));
await there(info.handheld);
$("handheld").src = `${info.handheld}#${new URLSearchParams({ clerk: info.clerk, password: info.password })}`;
