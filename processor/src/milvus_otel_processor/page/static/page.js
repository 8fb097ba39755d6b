import { bytes, element, number, plot, row, short, time, waterfall } from "./draw.js";
import { columns, hintsOf, rowsOf, told } from "./requests.js";

const VIEWS = ["now", "requests", "decisions", "rules", "help"];
const WORDS = { sampled: "kept", not_sampled: "not kept", dropped: "dropped", not_asked: "not asked" };
const SECONDS = { now: 5, requests: 5, decisions: 5, rules: 30 };
const at = (id) => document.getElementById(id);
let view = "";
let timer = 0;
let rules = null;
let measured = null;
let checking = 0;
let sort = "total_ms";

async function ask(path, text) {
  const headers = {};
  const token = sessionStorage.getItem("token");
  if (token) headers.authorization = `Bearer ${token}`;
  if (text !== undefined) headers["content-type"] = "application/yaml";
  const answer = await fetch(`api/v1${path}`, { method: text === undefined ? "GET" : "POST", headers, body: text });
  if (answer.status === 401) {
    at("token-form").hidden = false;
    for (const name of VIEWS) at(name).hidden = true;
    throw new Error("a token is wanted");
  }
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error ?? `the processor answered ${answer.status}`);
  return said;
}

function tell(text) {
  if (at("state").textContent !== text) at("state").textContent = text;
}

async function refresh() {
  clearTimeout(timer);
  try {
    if (!document.hidden) {
      if (view === "now") await showNow();
      if (view === "requests" && at("r-follow").checked) await showRequests();
      if (view === "decisions" && at("follow").checked) await showDecisions();
      if (view === "rules") await showRules();
    }
    tell("connected");
  } catch (error) {
    tell(error instanceof TypeError ? "the processor does not answer" : error.message);
  }
  if (SECONDS[view]) timer = setTimeout(refresh, SECONDS[view] * 1000);
}

function go() {
  const wanted = location.hash.slice(1).split("/");
  const next = VIEWS.includes(wanted[0]) ? wanted[0] : "now";
  const changed = next !== view;
  view = next;
  for (const name of VIEWS) at(name).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${document.querySelector(`nav a[href="#${view}"]`).textContent} - milvus-otel`;
  if (view === "decisions" && wanted[1]) showTrace(wanted[1]);
  if (view === "help" && changed) showHelp();
  refresh();
}

// --- Now

const PLOTS = [["received", "received"], ["waiting", "waiting"], ["kept", "kept"], ["dropped", "dropped"], ["lost", "lost"], ["exported", "exported"]];

async function showNow() {
  const now = await ask("/now");
  at("wrong").replaceChildren(...(now.wrong.length ? now.wrong.map((words) => element("li", { class: "warn" }, words)) : [element("li", { class: "good" }, "Nothing is wrong.")]));
  at("plots").replaceChildren(...PLOTS.map(([name, title]) => plot(title, name === "waiting" ? "spans" : "spans/s", now.series[name])));
  const facts = {
    "Waiting for a decision": `${short(now.waiting.traces)} traces, ${short(now.waiting.spans)} spans, ${bytes(now.waiting.bytes)}; the oldest for about ${short(now.waiting.oldest_seconds)} s`,
    "Waiting to be sent": `${short(now.queued_spans)} spans, to ${now.facts.exports_to}`,
    "Memory": now.memory.limit ? `${bytes(now.memory.used)} of ${bytes(now.memory.limit)}` : bytes(now.memory.used),
    "Remembered here": `${short(now.remembered.traces)} traces, ${bytes(now.remembered.bytes)}`,
    "Since the start": ["received", "kept", "dropped", "lost", "exported"].map((name) => `${short(now.totals[name])} ${name}`).join(", "),
  };
  at("facts").replaceChildren(...Object.entries(facts).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  const sources = Object.entries(now.requests_by_source);
  const total = sources.reduce((sum, [, count]) => sum + count, 0);
  at("sources").replaceChildren(...(sources.length ? sources.map(([name, count]) => row(name, number(count), number(`${((100 * count) / total).toFixed(1)} %`))) : [row("none yet", number(0), number(""))]));
}

// --- Requests

async function showRequests() {
  const form = new FormData(at("requests-filter"));
  const found = await ask(`/requests?${new URLSearchParams({ minutes: form.get("minutes"), by: form.get("by"), sort, limit: 500 })}`);
  const rows = found.rows.filter((one) => found.by.some((key) => one[key].toLowerCase().includes(form.get("text").toLowerCase())));
  const note = told(found);
  if (at("requests-note").textContent !== note) at("requests-note").textContent = note;
  const focused = document.activeElement?.dataset?.sort;
  at("request-columns").replaceChildren(...columns(found, sort, (name) => { sort = name; return showRequests().catch((error) => tell(error.message)); }));
  if (focused) at("request-columns").querySelector(`[data-sort="${focused}"]`)?.focus();
  at("request-rows").replaceChildren(...rowsOf(found, rows));
  at("hints").replaceChildren(...hintsOf(found, rows));
}

// --- Decisions

async function showDecisions() {
  const form = new FormData(at("filter"));
  const id = form.get("trace_id");
  form.delete("trace_id");
  if (id) { at("follow").checked = false; location.hash = `#decisions/${id.toLowerCase()}`; return; }
  const asked = new URLSearchParams([...form].filter(([, value]) => value));
  const found = await ask(`/decisions?${asked}`);
  const chosen = location.hash.split("/")[1];
  const focused = document.activeElement?.dataset?.trace;
  at("rows").replaceChildren(...found.decisions.map((one) => {
    const link = element("button", { type: "button", "data-trace": one.trace_id, onclick: () => { location.hash = `#decisions/${one.trace_id}`; }, title: one.root }, one.root.replace(/^milvus[.]proto[.].*[/]/, "") || "(no root)");
    const made = row(
      element("td", {}, time(one.at)), element("td", { class: one.decision }, WORDS[one.decision]), element("td", {}, one.policy ?? ""),
      element("td", {}, link), element("td", {}, one.collections.join(", ")), number(one.duration_ms), number(one.spans));
    made.setAttribute("aria-selected", one.trace_id === chosen);
    return made;
  }));
  if (focused) at("rows").querySelector(`[data-trace="${focused}"]`)?.focus();
  const note = `${short(found.decisions.length)} shown of ${short(found.remembered)} remembered: of what a drop policy dropped one in sixteen, of what no policy wanted about 200 a second. These are a sample: how many requests there are and how long they take is told by Requests, of all of them.`;
  if (at("decisions-note").textContent !== note) at("decisions-note").textContent = note;
}

async function showTrace(id) {
  for (const one of at("rows").children) one.setAttribute("aria-selected", one.querySelector("button")?.dataset.trace === id);
  try {
    const found = await ask(`/traces/${encodeURIComponent(id)}`);
    at("trace").replaceChildren(...[
      element("h3", {}, `${WORDS[found.decision]}${found.policy ? ` by ${found.policy}` : ""}`),
      element("p", {}, `Trace ${found.trace_id}: ${short(found.spans)} spans, ${short(found.duration_ms)} ms, decided at ${time(found.decided_at)} because ${found.trigger_words}.`),
      found.has_root ? null : element("p", {}, "Its root span had not arrived."),
      found.has_root && !found.complete ? element("p", {}, "The parent of a span had not arrived.") : null,
      element("p", {}, found.enrichment.length ? found.enrichment.map((one) => `${one.collection ?? "no collection"}${one.database ? ` in ${one.database}` : ""}, told by ${one.source ?? "the span itself"}`).join("; ") : "No source told a collection."),
      found.jaeger ? element("p", {}, element("a", { href: found.jaeger, rel: "noreferrer" }, "Open it in Jaeger")) : "",
      element("h3", {}, "What each policy says"), explained(found.policies), element("h3", {}, "Spans"), waterfall(found.span_details)].filter((one) => one));
  } catch (error) {
    at("trace").replaceChildren(element("p", {}, error.message));
  }
}

function explained(policies) {
  return element("ul", {}, ...policies.map((one) => element("li", {},
    element("strong", {}, one.name), one.type && one.type !== one.name ? ` (${one.type})` : "", one.mode ? ` (${one.mode})` : "", ": ",
    element("span", { class: one.verdict }, one.verdict.replace("_", " ")), `: ${one.reason}`, one.policies ? explained(one.policies) : "")));
}

// --- Rules

async function showRules() {
  const before = rules;
  rules = await ask("/rules");
  at("rules-note").textContent = `In force since ${new Date(rules.since * 1000).toLocaleString("en-GB")}, from ${rules.file}.`;
  at("policies").replaceChildren(...rules.policies.map((one) => element("option", { value: one.name })));
  const lately = new Map((measured?.policies ?? []).map((one) => [one.name, one]));
  at("policy-rows").replaceChildren(...rules.policies.map((one) => {
    const found = lately.get(one.name);
    return row(one.name + (one.mode ? ` (${one.mode})` : ""), one.type, number(one.decided_traces), number(found?.votes ?? "-"), number(found?.only ?? "-"), number(found?.milliseconds ?? "-"));
  }));
  if (before === null || (at("text").value === before.text && rules.text !== before.text)) { at("text").value = rules.text; check(); }
  at("apply").hidden = !rules.can_apply;
  at("why-not-apply").textContent = rules.can_apply ? "" : `To apply them, copy the text into the file: ${rules.why_not_apply}.`;
}

function problems(found) {
  at("problems").replaceChildren(...found.problems.map((one) => element("li", { class: one.severity === "error" ? "bad" : "warn" },
    `${one.line ? `line ${one.line}${one.column ? `:${one.column}` : ""}: ` : ""}${one.path ? `${one.path}: ` : ""}${one.message}`)));
  at("diff").textContent = found.diff || "none";
  at("text").setAttribute("aria-invalid", !found.valid);
  at("try").disabled = !found.valid;
  at("apply").disabled = !found.valid || !found.diff;
}

async function check() {
  const number = ++checking;
  try {
    const found = await ask("/validate", at("text").value);
    if (number === checking) problems(found);
  } catch (error) { tell(error.message); }
}

async function finished(started) {
  at("progress").hidden = false;
  let state = started;
  while (state.state === "running" && state.id === started.id) {
    at("progress").value = state.progress;
    await new Promise((done) => setTimeout(done, 250));
    state = await ask("/try");
  }
  at("progress").hidden = true;
  if (state.id !== started.id) throw new Error("another trial has taken its place");
  if (state.state !== "done") throw new Error(state.error ?? state.state);
  return state.result;
}

async function measure() {
  at("measure").disabled = true;
  try {
    const result = await finished(await ask("/measure", ""));
    measured = result.now;
    await showRules();
    at("result").replaceChildren(element("p", {}, `Measured on ${short(result.spans)} spans of the last ${short(result.seconds)} s.`));
  } catch (error) { at("result").replaceChildren(element("p", {}, error.message)); }
  at("measure").disabled = false;
}

async function attempt(event) {
  event.preventDefault();
  at("try").disabled = true;
  try {
    const started = await ask("/try", at("text").value);
    problems(started);
    if (started.valid) { const result = await finished(started); measured = result.now; shown(result); }
  } catch (error) { at("result").replaceChildren(element("p", {}, error.message)); }
  at("try").disabled = false;
}

function shown(result) {
  const words = result.words.charAt(0).toUpperCase() + result.words.slice(1);
  at("result").replaceChildren(
    element("p", { class: "words", id: "words" }, `${words}.`),
    element("p", {}, `On ${short(result.spans)} spans of the last ${short(result.seconds)} s: ${short(result.now.kept.traces)} of ${short(result.now.traces)} traces are kept now, ${short(result.tried.kept.traces)} would be. It took ${short(result.took_seconds)} s.`),
    changed("Gained", result.gained), changed("Lost", result.lost), compared(result));
}

function changed(title, found) {
  if (!found.traces) return "";
  const groups = [["policy", found.by_policy], ["root", found.by_root], ["collection", found.by_collection]];
  return element("div", {}, element("h3", {}, `${title}: ${short(found.traces)} traces, ${short(found.spans)} spans`),
    element("ul", {}, ...groups.filter(([, by]) => Object.keys(by).length).map(([name, by]) =>
      element("li", {}, `by ${name}: `, Object.entries(by).slice(0, 8).map(([key, count]) => `${key} ${short(count)}`).join(", "))),
    element("li", {}, "for example ", ...found.examples.flatMap((id, index) => [index ? ", " : "", element("a", { href: `#decisions/${id}` }, id)]))));
}

function compared(result) {
  const before = new Map(result.now.policies.map((one) => [one.name, one]));
  return element("table", {}, element("caption", {}, "The policies that were tried"),
    element("thead", {}, element("tr", {}, ...["Policy", "Votes", "Decided", "Only it", "Cost, ms"].map((title) => element("th", { scope: "col" }, title)))),
    element("tbody", {}, ...result.tried.policies.map((one) => {
      const was = before.get(one.name);
      const both = (key) => number(was && was[key] !== one[key] ? `${short(was[key])} → ${short(one[key])}` : short(one[key]));
      return row(one.name, both("votes"), both("decided"), both("only"), number(one.milliseconds));
    })));
}

async function apply() {
  try {
    const answer = await ask(`/apply?hash=${rules.hash}`, at("text").value);
    problems(answer);
    at("result").replaceChildren(element("p", {}, answer.applied ? `Written to ${answer.file}; the processor takes it up within a second or two.` : "Not written."));
    rules.text = at("text").value;
  } catch (error) { at("result").replaceChildren(element("p", {}, error.message)); }
}

async function copy() {
  try {
    await navigator.clipboard.writeText(at("text").value);
    tell("copied");
  } catch { at("text").select(); tell("selected: copy it with the keyboard"); }
}

// --- Help me

async function showHelp() {
  at("findings").replaceChildren(element("li", {}, "Looking …"));
  try {
    const found = await ask("/doctor");
    at("findings").replaceChildren(...found.findings.map((one) => element("li", { class: one.state },
      element("p", {}, element("strong", {}, `${{ good: "Fine", bad: "Wrong", warn: "Look at", unknown: "Not known" }[one.state]}: `), one.words),
      one.advice ? element("p", {}, one.advice) : "")));
  } catch (error) { at("findings").replaceChildren(element("li", { class: "bad" }, error.message)); }
}

for (const on of ["change", "input", "submit"]) {
  at("requests-filter").addEventListener(on, (event) => {
    if (on === "submit") event.preventDefault();
    showRequests().catch((error) => tell(error.message));
  });
}
at("filter").addEventListener("submit", (event) => { event.preventDefault(); showDecisions().catch((error) => tell(error.message)); });
at("filter").addEventListener("change", () => { showDecisions().catch((error) => tell(error.message)); });
at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", at("token").value);
  at("token-form").hidden = true;
  go();
});
at("try-form").addEventListener("submit", attempt);
at("measure").addEventListener("click", measure);
at("apply").addEventListener("click", apply);
at("copy").addEventListener("click", copy);
at("look").addEventListener("click", showHelp);
at("reset").addEventListener("click", () => { at("text").value = rules?.text ?? ""; check(); });
let typing = 0;
at("text").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(check, 300); });
addEventListener("hashchange", go);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
go();
