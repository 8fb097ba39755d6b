// Builds elements: text is always text, never markup, since names of spans and policies are others'.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function row(...cells) {
  return element("tr", {}, ...cells.map((cell, index) => {
    if (cell instanceof Node && (cell.tagName === "TD" || cell.tagName === "TH")) return cell;
    return element(index ? "td" : "th", index ? {} : { scope: "row" }, cell);
  }));
}

export function number(value) {
  return element("td", { class: "number" }, typeof value === "number" ? short(value) : value);
}

export function short(value) {
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0 });
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit += 1; }
  return `${short(value)} ${units[unit]}`;
}

export function time(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString("en-GB");
}

const SVG = "http://www.w3.org/2000/svg";

export function plot(title, unit, values) {
  const latest = values.at(-1) ?? 0;
  const most = Math.max(...values, 0);
  const said = `${title}: ${short(latest)} ${unit} now, at most ${short(most)} in the last 15 minutes`;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 180 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", said);
  const height = (value) => 38 - 36 * (most ? value / most : 0);
  const at = (index) => 180 - (values.length - 1 - index) * (180 / Math.max(179, values.length - 1));
  const points = values.map((value, index) => `${at(index).toFixed(1)},${height(value).toFixed(1)}`);
  if (points.length) {
    const area = document.createElementNS(SVG, "polygon");
    area.setAttribute("class", "area");
    area.setAttribute("points", `${at(0).toFixed(1)},40 ${points.join(" ")} 180,40`);
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("class", "line");
    line.setAttribute("points", points.join(" "));
    svg.append(area, line);
  }
  return element("figure", {}, element("figcaption", {}, element("span", {}, title), element("strong", {}, `${short(latest)} ${unit}`)), svg);
}

// The spans of a trace by their tree, each with its bar; times are nanoseconds as text, too long for a number.
export function waterfall(spans) {
  const start = spans.reduce((least, span) => (BigInt(span.start) < least ? BigInt(span.start) : least), BigInt(spans[0].start));
  const end = spans.reduce((most, span) => (BigInt(span.end) > most ? BigInt(span.end) : most), BigInt(spans[0].end));
  const total = Math.max(1, Number(end - start));
  const list = element("ul", { class: "waterfall", "aria-label": "The spans, indented below their parents" });
  for (const [span, depth] of inTreeOrder(spans)) {
    const from = Number(BigInt(span.start) - start);
    const took = Math.max(0, Number(BigInt(span.end) - BigInt(span.start)));
    const bar = element("span");
    bar.style.left = `${(100 * from) / total}%`;
    bar.style.width = `${(100 * took) / total}%`;
    const name = element("span", { class: "name", title: details(span) }, `${span.name.replace(/^milvus[.]proto[.].*[/]/, "")} (${span.service || "no service.name"})`);
    name.style.paddingLeft = `${Math.min(depth, 12)}em`;
    const said = `${short(took / 1e6)} ms`;
    list.append(element("li", { class: span.is_error ? "failed" : null }, name, element("span", { class: "track", "aria-hidden": "true" }, bar), element("span", { class: "number" }, said)));
  }
  return list;
}

function details(span) {
  const attributes = Object.entries(span.attributes).map(([key, value]) => `${key} = ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return [`${span.name}, ${span.kind}${span.is_error ? ", ERROR" : ""}`, ...attributes].join("\n");
}

function* inTreeOrder(spans) {
  const ids = new Set(spans.map((span) => span.span_id));
  const children = new Map();
  for (const span of spans) {
    const parent = ids.has(span.parent_id) && span.parent_id !== span.span_id ? span.parent_id : "";
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(span);
  }
  const seen = new Set();
  const stack = [...(children.get("") ?? [])].reverse().map((span) => [span, 0]);
  while (stack.length) {
    const [span, depth] = stack.pop();
    if (seen.has(span)) continue;
    seen.add(span);
    yield [span, depth];
    if ((children.get(span.span_id) ?? [])[0] !== span) stack.push(...[...(children.get(span.span_id) ?? [])].reverse().map((child) => [child, depth + 1]));
  }
  for (const span of spans) if (!seen.has(span)) yield [span, 0];
}
