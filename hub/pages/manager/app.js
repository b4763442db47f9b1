// The manager's page: asks the hub every few seconds, draws what it says. Text reaches the page by textContent alone.

import { Words } from "./words.js";

const EVERY_MS = 3000;
const NUMBERS = ["visits", "good_customers", "here_now", "requests", "requests_answered", "requests_expired", "sales", "sold_minor", "lane_calls", "lane_incidents"];
const $ = (id) => document.getElementById(id);
const app = {
  words: new Words(localStorage.getItem("instore.manager.language") ?? navigator.language.slice(0, 2)),
  key: sessionStorage.getItem("instore.manager.key"),
  trouble: null, overview: null, days: [], visits: [], chosen: null, story: null, asked: 0,
};

class Refused extends Error {}

async function ask(path) {
  const answer = await fetch(`api/${path}`, { headers: { Authorization: `Bearer ${app.key}` }, cache: "no-store" });
  if (answer.status === 401) throw new Refused();
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

async function look() {
  if (app.key === null) return draw();
  const turn = ++app.asked;
  try {
    const query = new URLSearchParams({ search: $("search").value });
    if ($("day").value) query.set("day", $("day").value);
    const story = app.chosen === null ? null : ask(`visits/${encodeURIComponent(app.chosen)}`);
    const found = await Promise.all([ask("overview"), ask("days"), ask(`visits?${query}`), story]);
    if (turn !== app.asked) return;
    [app.overview, app.days, app.visits, app.story] = found;
    app.trouble = null;
  } catch (error) {
    if (turn !== app.asked) return;
    if (error instanceof Refused) forget("refused");
    else app.trouble = "away";
  }
  draw();
}

function forget(trouble) {
  Object.assign(app, { key: null, overview: null, story: null, chosen: null, trouble });
  sessionStorage.removeItem("instore.manager.key");
}

function make(tag, text = "", kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function draw() {
  const { words, overview } = app;
  document.documentElement.lang = words.language;
  document.title = words.say("title");
  $("language").textContent = words.say("other");
  $("leave").textContent = words.say("leave");
  $("leave").hidden = app.key === null;
  $("enter").hidden = app.key !== null;
  $("board").hidden = app.key === null || overview === null;
  $("enter-title").textContent = words.say("title");
  $("enter-label").textContent = words.say("key");
  $("enter-button").textContent = words.say("enter");
  $("enter-trouble").hidden = app.trouble === null;
  $("enter-trouble").textContent = app.trouble === null ? "" : words.say(app.trouble);
  $("store").textContent = overview === null ? "" : overview.store.name[words.language];
  if (overview === null) return;
  const wrong = Object.entries(overview.trouble).filter(([, text]) => text !== "");
  const ill = app.trouble !== null || wrong.length > 0 || overview.agents.some((one) => !one.there || one.devices.some((d) => !d.online));
  $("state").textContent = app.trouble === null ? words.say(ill ? "trouble" : "ok") : words.say(app.trouble);
  $("state").dataset.ill = String(ill);
  $("troubles").replaceChildren(...wrong.map(([where, text]) => make("li", `${words.say(where)}: ${text}`)));
  drawNumbers(overview);
  drawAgents(overview.agents);
  drawLanes(overview);
  drawList();
  drawWhy();
}

function drawNumbers({ numbers, store }) {
  $("numbers").replaceChildren(...NUMBERS.map((name) => {
    const box = make("div");
    const text = name === "sold_minor" ? app.words.money(numbers[name], store.currency) : app.words.count(numbers[name]);
    box.append(make("b", text), make("span", app.words.say(name)));
    return box;
  }));
}

function drawAgents(agents) {
  const { words } = app;
  if (agents.length === 0) return $("agents").replaceChildren(make("p", words.say("no_agents"), "hint"));
  $("agents").replaceChildren(...agents.map((one) => {
    const box = make("div", "", one.there && one.devices.every((device) => device.online) ? "agent" : "agent ill");
    box.append(make("b", one.agent), make("span", words.say(one.there ? "there" : "gone")));
    if (one.waiting > 0) box.append(make("span", words.say("waiting", words.count(one.waiting))));
    for (const device of one.devices) if (one.there && !device.online) box.append(make("span", words.say("device_off", device.device), "off"));
    return box;
  }));
}

function drawLanes({ calls, incidents, store }) {
  const { words } = app;
  $("lanes").hidden = calls.length + incidents.length === 0;
  $("lanes-title").textContent = words.say("lanes");
  const line = (at, where, what, detail, mark) => {
    const made = make("li");
    made.append(make("time", words.time(at, store.time_zone)), make("b", where), make("span", what, `mark ${mark}`), make("span", detail, "hint"));
    return made;
  };
  $("calls").replaceChildren(...calls.map((call) => {
    const what = `${words.say(`call_${call.reason}`)}: ${words.say(call.state)}${call.holder ? ` (${call.holder})` : ""}`;
    return line(call.since, `${call.agent}/${call.lane}`, what, call.detail, call.state === "accepted" ? "good" : "expired");
  }));
  $("incidents").replaceChildren(...incidents.map((one) => {
    const what = words.say(one.kind) + (one.count > 1 ? ` ×${words.count(one.count)}` : "");
    return line(one.seen, `${one.agent}/${one.lane}`, what, one.detail, "");
  }));
}

function drawList() {
  const { words } = app;
  const days = [...new Set([app.overview.today, ...app.days])];
  if ($("day").dataset.days !== days.join()) {
    const chosen = $("day").value || app.overview.today;
    $("day").replaceChildren(...days.map((day) => Object.assign(make("option", day), { value: day, selected: day === chosen })));
    $("day").dataset.days = days.join();
  }
  $("search").placeholder = words.say("search");
  $("none").hidden = app.visits.length > 0;
  $("none").textContent = words.say("none");
  const focused = document.activeElement?.dataset?.visit;
  $("visits").replaceChildren(...app.visits.map(drawVisit));
  if (focused) [...$("visits").querySelectorAll("button")].find((button) => button.dataset.visit === focused)?.focus();
}

function drawVisit(visit) {
  const { words } = app;
  const line = make("li");
  const button = make("button", "", visit.visit === app.chosen ? "chosen" : "");
  button.type = "button";
  button.dataset.visit = visit.visit;
  button.append(make("time", words.time(visit.opened, app.overview.store.time_zone)), make("b", visit.name || visit.customer), make("span", visit.agent, "place"));
  if (visit.good) button.append(make("span", words.say("good"), "mark good"));
  if (visit.gone_since === null) button.append(make("span", words.say("here"), "mark"));
  for (const alert of visit.alerts) {
    const end = alert.outcome ?? alert.state;
    button.append(make("span", `${words.say(alert.kind)}: ${words.say(end)}${alert.holder ? ` (${alert.holder})` : ""}`, `mark ${alert.state}`));
  }
  button.addEventListener("click", () => {
    app.chosen = visit.visit;
    app.story = null;
    look();
  });
  line.append(button);
  return line;
}

function drawWhy() {
  const { words, story } = app;
  if (app.chosen === null) return $("why").replaceChildren(make("p", words.say("hint"), "hint"));
  const visit = app.visits.find((one) => one.visit === app.chosen);
  const parts = [make("h2", `${words.say("why")} — ${visit?.name || visit?.customer || app.chosen}`)];
  if (visit) {
    const facts = make("dl");
    for (const key of ["decided", "coupons"]) if (visit[key]) facts.append(make("dt", words.say(key)), make("dd", visit[key]));
    parts.push(facts);
  }
  if (story === null) parts.push(make("p", words.say("no_trace"), "hint"));
  else parts.push(drawStory(story));
  $("why").replaceChildren(...parts);
}

function drawStory(story) {
  const list = make("ol", "", "story");
  for (const hop of story.hops) {
    const line = make("li", "", hop.type === "decision" ? "decision" : "");
    line.style.setProperty("--depth", Math.min(hop.depth, 12));
    const name = hop.type.replace(/^instore\./, "").replace(/\.v\d+$/, "");
    line.append(make("time", hop.ms === null ? app.words.time(hop.taken, app.overview.store.time_zone) : app.words.took(hop.ms)), make("b", name), make("span", hop.summary));
    if (hop.same > 0) line.append(make("i", app.words.say("same", hop.same)));
    list.append(line);
  }
  return list;
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  app.key = $("key").value.trim();
  sessionStorage.setItem("instore.manager.key", app.key);
  $("key").value = "";
  look();
});
$("leave").addEventListener("click", () => {
  forget(null);
  draw();
});
$("language").addEventListener("click", () => {
  app.words = new Words(app.words.next);
  localStorage.setItem("instore.manager.language", app.words.language);
  draw();
});
$("search").addEventListener("input", look);
$("day").addEventListener("change", look);
setInterval(look, EVERY_MS);
look();
