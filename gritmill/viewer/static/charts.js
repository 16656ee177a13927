// Histograms: inline SVG for eyes, a table of the same numbers for everything else.
"use strict";

(() => {
  const { element } = window.gritmill;
  const NS = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, FLOOR] = [300, 120, 100];
  const ROW = 22;

  function shape(tag, attributes, ...children) {
    const made = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  const number = (value) => value.toLocaleString("en");
  const short = (value) => Number(value.toFixed(3)).toString();

  /** Columns side by side; rows: [label, count]. */
  function columns(rows, title) {
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "columns-chart" });
    const most = Math.max(1, ...rows.map(([, count]) => count));
    const step = WIDTH / Math.max(1, rows.length);
    rows.forEach(([label, count], at) => {
      const height = count ? Math.max(1, (count / most) * (FLOOR - 14)) : 0;
      const gap = Math.min(2, step / 5);
      const bar = { x: at * step + gap / 2, y: FLOOR - height, width: step - gap, height, rx: Math.min(2, step / 4) };
      svg.append(shape("rect", bar, shape("title", {}, `${label}: ${number(count)}`)));
    });
    svg.append(shape("line", { x1: 0, x2: WIDTH, y1: FLOOR + 0.5, y2: FLOOR + 0.5, class: "axis" }));
    const every = Math.max(1, Math.ceil(rows.length / 8));
    rows.forEach(([label], at) => {
      if (at % every) return;
      const few = rows.length <= 12;
      const x = few ? (at + 0.5) * step : at * step;
      const anchor = few ? "middle" : "start";
      svg.append(shape("text", { x, y: HEIGHT - 5, "text-anchor": anchor }, label.split(" ")[0]));
    });
    return svg;
  }

  /** Bars below each other, with their names. */
  function bars(rows, title, share) {
    const height = Math.max(1, rows.length) * ROW;
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": title, class: "bars-chart" });
    const most = Math.max(1, ...rows.map(([, count]) => count));
    rows.forEach(([label, count, kind], at) => {
      const y = at * ROW;
      const name = label.length > 20 ? `${label.slice(0, 19)}…` : label;
      const figure = share ? `${number(count)} · ${((count / share) * 100).toFixed(1)} %` : number(count);
      const length = Math.max(count ? 1.5 : 0, (count / most) * 108);
      svg.append(shape("text", { x: 0, y: y + 15 }, name, shape("title", {}, label)));
      svg.append(shape("rect", { x: 112, y: y + 5, width: length, height: 12, rx: 2, class: kind ?? "" }));
      svg.append(shape("text", { x: 116 + length, y: y + 15, class: "figure" }, figure));
    });
    return svg;
  }

  /** The same as a table. */
  function table(rows, first) {
    const head = element("tr", {}, element("th", { scope: "col" }, first), element("th", { scope: "col" }, "count"));
    const body = rows.map(([label, count]) =>
      element("tr", {}, element("th", { scope: "row" }, label), element("td", { class: "figure" }, number(count))),
    );
    return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  }

  function figure(title, rows, first, drawn) {
    const numbers = element("details", {}, element("summary", {}, "As a table"), table(rows, first));
    return element("figure", {}, element("figcaption", {}, title), drawn, numbers);
  }

  function binned({ edges, counts }) {
    return counts.map((count, at) => [`${short(edges[at])} to ${short(edges[at + 1])}`, count]);
  }

  function valued({ values, counts }) {
    return counts.map((count, at) => [String(values[at]), count]);
  }

  /** All charts that a run's figures allow. */
  function charts(run) {
    const outcomes = run.outcomes.map(([outcome, reason, count]) => [reason || outcome, count, outcome]);
    const made = [figure("Pairs by outcome", outcomes, "outcome", bars(outcomes, "Pairs by outcome", run.read || 1))];
    const found = run.histograms;
    if (!found) return made;
    const numeric = [
      ["Scores of kept boxes", "score", binned, "score"],
      ["Boxes in a pair", "boxes_per_pair", valued, "boxes"],
      ["Words in a phrase", "phrase_words", valued, "words"],
      ["Area of a box, share of the picture", "box_area", binned, "area"],
    ];
    for (const [title, name, read, first] of numeric) {
      if (!found[name]) continue;
      const rows = read(found[name]);
      made.push(figure(title, rows, first, columns(rows, title)));
    }
    if (found.heads) {
      const rows = found.heads;
      made.push(figure("Most frequent heads", rows, "head", bars(rows.slice(0, 10), "Most frequent heads")));
    }
    return made;
  }

  /** Shares of pairs, phrases and boxes over all thresholds, and where the slider stands. */
  function curve(svg, stops, at) {
    svg.replaceChildren();
    const last = Math.max(1, stops.score.length - 1);
    for (const name of ["boxes", "phrases", "pairs"]) {
      const most = Math.max(1, ...stops[name].map((value) => value ?? 0));
      const points = stops[name].map((value, x) => (value === null ? "" : `${(x / last) * 240},${53 - (value / most) * 50}`));
      svg.append(shape("polyline", { points: points.filter(Boolean).join(" "), class: name }));
    }
    svg.append(shape("line", { x1: (at / last) * 240, x2: (at / last) * 240, y1: 0, y2: 56, class: "cursor" }));
  }

  Object.assign(window.gritmill, { charts, curve, number });
})();
