// Histograms as inline SVG, each with a table of the same numbers for screen readers and for copying.
"use strict";

(() => {
  const { element, number, cut } = window.gritmill;
  const NS = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, FLOOR] = [240, 118, 100];
  const ROW = 27;

  function shape(tag, attributes, ...children) {
    const node = document.createElementNS(NS, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  const short = (value) => Number(value.toFixed(3)).toString();

  /** Vertical columns. rows: [label, count]. ticks: [position from the left, 0 to 1; label]. */
  function columns(rows, ticks, title) {
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
    const most = Math.max(1, ...rows.map(([, count]) => count));
    const step = WIDTH / Math.max(1, rows.length);
    const gap = Math.min(2, step / 5);
    rows.forEach(([label, count], at) => {
      const height = count ? Math.max(1, (count / most) * (FLOOR - 8)) : 0;
      const bar = { x: at * step + gap / 2, y: FLOOR - height, width: step - gap, height, rx: Math.min(2, step / 4) };
      svg.append(shape("rect", bar, shape("title", {}, `${label}: ${number(count)}`)));
    });
    svg.append(shape("line", { x1: 0, x2: WIDTH, y1: FLOOR + 0.5, y2: FLOOR + 0.5, class: "axis" }));
    for (const [place, label] of ticks) {
      const anchor = place === 0 ? "start" : place === 1 ? "end" : "middle";
      svg.append(shape("text", { x: place * WIDTH, y: HEIGHT - 4, "text-anchor": anchor }, label));
    }
    return svg;
  }

  /** Horizontal bars, each with its name and count above it. */
  function bars(rows, title, share) {
    const height = Math.max(1, rows.length) * ROW;
    const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": title, class: "bars" });
    const most = Math.max(1, ...rows.map(([, count]) => count));
    rows.forEach(([label, count, kind], at) => {
      const y = at * ROW;
      const figure = share ? `${number(count)} · ${((count / share) * 100).toFixed(1)} %` : number(count);
      const length = Math.max(count ? 2 : 0, (count / most) * WIDTH);
      const name = shape("text", { x: 0, y: 11 }, cut(label, 26), shape("title", {}, label));
      svg.append(shape("svg", { y, width: WIDTH - 8 * figure.length, height: ROW }, name)); // clips wide signs
      svg.append(shape("text", { x: WIDTH, y: y + 11, "text-anchor": "end", class: "figure" }, figure));
      svg.append(shape("rect", { x: 0, y: y + 16, width: WIDTH, height: 5, rx: 2.5, class: "rail" }));
      svg.append(shape("rect", { x: 0, y: y + 16, width: length, height: 5, rx: Math.min(2.5, length / 2), class: kind ?? "" }));
    });
    return svg;
  }

  /** The rows as a table. names: of the columns. */
  function table(rows, names) {
    const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
    const body = rows.map(([label, ...counts]) => {
      const cells = counts.slice(0, names.length - 1).map((count) => element("td", { class: "figure" }, number(count)));
      return element("tr", {}, element("th", { scope: "row" }, label), ...cells);
    });
    return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  }

  function figure(title, rows, first, drawn, counts = ["count"]) {
    const numbers = element("details", {}, element("summary", {}, "As a table"), table(rows, [first, ...counts]));
    const content = rows.some(([, count]) => count) ? [drawn, numbers] : [element("p", { class: "note" }, "none")];
    return element("figure", {}, element("figcaption", {}, title), ...content);
  }

  /** A histogram over bins. The axis has ticks at the quarters. */
  function binned(title, first, { edges, counts }) {
    const rows = counts.map((count, at) => [`${short(edges[at])} to ${short(edges[at + 1])}`, count]);
    const [low, high] = [edges[0], edges[edges.length - 1]];
    const ticks = [0, 0.25, 0.5, 0.75, 1].map((place) => [place, short(low + place * (high - low))]);
    return figure(title, rows, first, columns(rows, ticks, title));
  }

  /** A histogram over whole numbers. Every column has a label if there are at most 12. */
  function valued(title, first, { values, counts }) {
    const rows = counts.map((count, at) => [String(values[at]), count]);
    const every = Math.ceil(rows.length / 12);
    const ticks = rows.map(([label], at) => [(at + 0.5) / rows.length, label]).filter((_, at) => at % every === 0);
    return figure(title, rows, first, columns(rows, ticks, title));
  }

  /** The charts for which the run has figures. */
  function charts(run) {
    const outcomes = run.outcomes.map(([outcome, reason, count]) => [reason || outcome, count, outcome]);
    const charts = [figure("Pairs by outcome", outcomes, "outcome", bars(outcomes, "Pairs by outcome", run.read || 1))];
    const found = run.histograms;
    if (found.score) charts.push(binned("Scores of kept boxes", "score", found.score));
    if (found.boxes_per_pair) charts.push(valued("Boxes per pair", "boxes", found.boxes_per_pair));
    if (found.heads) {
      const drawn = bars(found.heads.slice(0, 10), "Most frequent heads");
      charts.push(figure("Most frequent heads", found.heads, "head", drawn));
    }
    if (found.phrase_words) charts.push(valued("Words per phrase", "words", found.phrase_words));
    if (found.box_area) charts.push(binned("Box area as a share of the image", "area", found.box_area));
    if (run.claims.length) {
      const sum = (column) => run.claims.reduce((total, row) => total + row[column], 0);
      const verdicts = [["supported", sum(1), "kept"], ["contradicted", sum(2), "failed"], ["undecided", sum(3), "rejected"]];
      const drawn = bars(verdicts, "Claims by verdict", sum(1) + sum(2) + sum(3));
      charts.push(figure("Claims by verdict", run.claims, "claim", drawn, verdicts.map(([name]) => name)));
    }
    return charts;
  }

  /** Shares of pairs, phrases and boxes over all thresholds, and a line at the slider's position. */
  function curve(svg, stops, at) {
    svg.replaceChildren();
    const last = Math.max(1, stops.score.length - 1);
    for (const name of ["boxes", "phrases", "pairs"]) {
      const most = Math.max(1, ...stops[name].map((value) => value ?? 0));
      const points = stops[name].map((value, x) => `${(x / last) * 240},${53 - (value / most) * 50}`);
      svg.append(shape("polyline", { points: points.filter(Boolean).join(" "), class: name }));
    }
    svg.append(shape("line", { x1: (at / last) * 240, x2: (at / last) * 240, y1: 0, y2: 56, class: "cursor" }));
  }

  Object.assign(window.gritmill, { charts, curve });
})();
