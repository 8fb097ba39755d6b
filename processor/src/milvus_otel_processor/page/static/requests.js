// Rows of all requests: what each column shows, and in which words.

import { element, number, row, short } from "./draw.js";

const NUMBERS = [
  ["per_second", "req/s", null], ["requests", "requests", "requests"], ["errors", "errors", "errors"],
  ["p50_ms", "p50 ms", "p50_ms"], ["p95_ms", "p95 ms", "p95_ms"], ["p99_ms", "p99 ms", "p99_ms"],
  ["share", "time", "total_ms"], ["kept", "kept", "kept"],
];
const OVERFLOW = "otel.metric.overflow";
const LEAST_SHARE = 0.05;

export function told(found) {
  if (!found.counted) return "Requests are not counted here: the pipeline needs the processor milvus, with requests.enabled, which is its default.";
  const all = found.all;
  const minutes = short(found.seconds / 60);
  return `${short(all.requests)} requests in the last ${minutes} min, ${short(all.per_second)} a second; ${short(all.errors)} failed. ` +
    `All of them count here; ${short(all.kept)} are in kept traces. Quantiles are within ${short(100 * found.relative_error)} %. ` +
    "A request counts when its trace is decided.";
}

export function columns(found, sort, choose) {
  const keys = found.by.map((key) => element("th", { scope: "col" }, key.replaceAll("_", " ")));
  const numbers = NUMBERS.map(([, title, by]) => {
    if (!by) return element("th", { scope: "col", class: "number" }, title);
    return element("th", { scope: "col", class: "number", "aria-sort": by === sort ? "descending" : null },
      element("button", { type: "button", "data-sort": by, title: "Sort by this", onclick: () => choose(by) }, title));
  });
  return [...keys, ...numbers, element("th", { scope: "col" }, "where it went"), element("th", { scope: "col" }, "slowest kept")];
}

export function rowsOf(found, rows) {
  if (!rows.length) return [row(element("td", { colspan: found.by.length + NUMBERS.length + 2 }, "none"))];
  return rows.map((one) => row(
    ...found.by.map((key) => element("td", { class: `name ${key}` }, named(key, one[key]))),
    ...NUMBERS.map(([name]) => number(name === "share" ? `${short(100 * one.share)} %` : one[name])),
    element("td", {}, stages(one)), element("td", {}, slowest(found, one))));
}

export function hintsOf(found, rows) {
  const about = new Map();
  for (const one of rows) {
    if (one.hint) about.set(one.hint, [...(about.get(one.hint) ?? []), found.by.map((key) => named(key, one[key])).join(" ")]);
  }
  if (!about.size) return [element("li", {}, "No stage took more than half of the time of any row, and 10 ms.")];
  return [...about].map(([words, names]) => element("li", { class: "warn" }, element("strong", {}, `${names.join(", ")}: `), words));
}

function named(key, value) {
  return key === "collection" && value === OVERFLOW ? "(all others)" : value || "-";
}

function stages(one) {
  const total = Object.values(one.stages_ms).reduce((sum, spent) => sum + spent, 0);
  if (!total) return "-";
  const longest = Object.entries(one.stages_ms).sort(([, left], [, right]) => right - left).slice(0, 3).filter(([, spent]) => spent >= LEAST_SHARE * total);
  return longest.map(([name, spent]) => `${name.replaceAll("_", " ")} ${Math.round((100 * spent) / total)} %`).join(", ");
}

function slowest(found, one) {
  if (!one.slowest_kept) return "-";
  const there = found.jaeger ? `${found.jaeger}/trace/${one.slowest_kept}` : `#decisions/${one.slowest_kept}`;
  return element("a", { href: there, rel: "noreferrer", title: one.slowest_kept }, one.slowest_kept.slice(0, 8));
}
