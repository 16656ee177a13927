// Draws a pair: its image with boxes, its caption with phrases. All data is inserted as text nodes or attributes.
"use strict";

(() => {
  const COLOURS = 8;

  /** An element with properties and children; strings become text nodes. */
  function element(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name === "class") node.className = value;
      else if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  // Characters that would reverse or hide the text around them are shown as their code.
  const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  const visible = (sign) => `⟨U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  const words = (sample, start, end) => sample.chars.slice(start, end).join("").replace(HIDDEN, visible);
  const phraseText = (sample, number) => words(sample, sample.phrases[number][0], sample.phrases[number][1]);
  const expressionText = (sample, number) => words(sample, sample.phrases[number][4], sample.phrases[number][5]);
  const colour = (number) => `colour-${number % COLOURS}`;

  const number = (value) => value.toLocaleString("en");
  const plural = (value, what) => `${number(value)} ${what}${value === 1 ? "" : what.endsWith("x") ? "es" : "s"}`;

  /** The start of a text for a label or a tooltip. Signs of two code units stay whole. */
  function cut(text, most = 80) {
    const signs = Array.from(text);
    return signs.length > most ? `${signs.slice(0, most - 1).join("")}…` : text;
  }

  function box(sample, found, why) {
    const name = cut(phraseText(sample, found.phrase));
    const label = `box of “${name}”, score ${found.score.toFixed(2)}${why ? `, not kept: ${why}` : ""}`;
    const button = element("button", {
      type: "button",
      class: `box ${colour(found.phrase)}${why ? " ghost" : ""}`,
      tabindex: "-1",
      "data-phrase": found.phrase,
      "data-candidate": found.index,
      "aria-label": label,
      "aria-pressed": "false",
      title: label,
    });
    const share = (value) => `${value * 100}%`;
    button.style.left = share(found.x1);
    button.style.top = share(found.y1);
    button.style.width = share(found.x2 - found.x1);
    button.style.height = share(found.y2 - found.y1);
    const tag = element("span", { class: "tag", "aria-hidden": "true" }, String(found.phrase + 1));
    tag.append(element("span", { class: "score" }, ` ${found.score.toFixed(2)}`));
    button.append(tag);
    return button;
  }

  /** The image with the kept boxes and, if `ghosts` is set, the other candidates. Small boxes are above large ones. */
  function picture(sample, judged, ghosts, eager) {
    const frame = element("div", { class: "frame" });
    if (!sample.picture) {
      frame.append(element("p", { class: "missing" }, "no image", element("br"), sample.missing));
      return frame;
    }
    const sheet = element("div", { class: "sheet" });
    const { width, height } = sample.width && sample.height ? sample : { width: 4, height: 3 };
    sheet.style.setProperty("--ratio", width / height);
    const image = element("img", { src: sample.picture, alt: sample.caption, decoding: "async", draggable: "false" });
    image.loading = eager ? "eager" : "lazy";
    sheet.append(image);
    const kept = new Set(judged.boxes.map((one) => one.index));
    const shown = sample.ranked.filter((one) => kept.has(one.index) || ghosts);
    const why = new Map(ghosts ? ghosts.map(([one, reason]) => [one.index, reason]) : []);
    const size = (one) => (one.x2 - one.x1) * (one.y2 - one.y1);
    shown.sort((a, b) => kept.has(a.index) - kept.has(b.index) || size(b) - size(a));
    sheet.append(...shown.map((one) => box(sample, one, kept.has(one.index) ? "" : why.get(one.index))));
    frame.append(sheet);
    return frame;
  }

  /** The offsets in the caption at which a phrase, an expression, a dropped phrase or a part of a claim begins or ends. */
  function borders(sample) {
    const found = new Set([0, sample.chars.length]);
    for (const [start, end, , , first, last] of sample.phrases) [start, end, first, last].forEach((at) => found.add(at));
    for (const [start, end] of sample.dropped) [start, end].forEach((at) => found.add(at));
    for (const at of window.gritmill.claimBorders(sample)) found.add(at);
    return [...found].sort((a, b) => a - b);
  }

  /** The number of the shortest expression that has a box and contains the characters [from, to), or -1. */
  function around(sample, from, to, boxed) {
    let best = -1;
    let length = Infinity;
    sample.phrases.forEach(([, , , , first, last], number) => {
      if (boxed.has(number) && first <= from && to <= last && last - first < length) {
        best = number;
        length = last - first;
      }
    });
    return best;
  }

  function phrase(sample, number, boxed) {
    const text = phraseText(sample, number);
    const expression = expressionText(sample, number);
    const boxes = boxed.get(number) ?? 0;
    const label = boxes ? plural(boxes, "box") : "no box at this threshold";
    return element("span", {
      class: `phrase ${boxes ? colour(number) : "boxless"}`,
      role: "button",
      tabindex: "-1",
      "data-phrase": number,
      "aria-pressed": "false",
      "aria-label": `${text}, ${label}`,
      title: expression === text ? label : `${label}; referring expression: ${cut(expression, 300)}`,
    });
  }

  /** The caption: noun chunks are phrases; referring expressions are underlined in the colour of their phrase. */
  function caption(sample, judged) {
    const paragraph = element("p", { class: "caption", dir: "auto" });
    const boxed = new Map();
    for (const one of judged.boxes) boxed.set(one.phrase, (boxed.get(one.phrase) ?? 0) + 1);
    const cuts = borders(sample);
    let open = null;
    for (let at = 0; at + 1 < cuts.length; at++) {
      const [from, to] = [cuts[at], cuts[at + 1]];
      const text = window.gritmill.piece(sample, from, to);
      const number = sample.phrases.findIndex(([start, end]) => start <= from && to <= end);
      const dropped = sample.dropped.find(([start, end]) => start <= from && to <= end);
      const outer = around(sample, from, to, boxed);
      const line = outer < 0 ? text : element("span", { class: `expression ${colour(outer)}`, "data-within": outer }, text);
      if (number >= 0) {
        if (!open || open.dataset.phrase !== String(number)) {
          open = phrase(sample, number, boxed);
          paragraph.append(open);
          if (boxed.has(number)) {
            open.append(element("span", { class: "number", "aria-hidden": "true" }, String(number + 1)));
          }
        }
        open.append(line);
        continue;
      }
      open = null;
      paragraph.append(dropped ? element("span", { class: "dropped", title: `not a phrase: ${dropped[2]}` }, line) : line);
    }
    if (!sample.chars.length) paragraph.append(element("em", {}, "no caption"));
    return paragraph;
  }

  function chip(judged) {
    const text = judged.reason ? `${judged.outcome} · ${judged.reason}` : judged.outcome;
    return element("span", { class: `chip ${judged.outcome}`, title: judged.detail || null }, text);
  }

  /** The common part of a card and of the enlarged pair: image, caption, outcome. */
  function body(sample, judged, ghosts, eager = false) {
    const counts = element("span", { class: "counts" }, judged.outcome === "failed" ? "" : plural(judged.boxes.length, "box"));
    const key = element("span", { class: "key", title: `${sample.key} of ${sample.source}` }, element("bdi", {}, sample.key));
    const foot = element("div", { class: "foot" }, chip(judged), counts, key);
    const claims = window.gritmill.claimLines(sample, judged);
    const parts = [picture(sample, judged, ghosts, eager), caption(sample, judged), ...claims, foot];
    if (judged.detail && !sample.missing.includes(judged.detail)) parts.splice(2, 0, element("p", { class: "detail", dir: "auto" }, judged.detail));
    return parts;
  }

  /** A table of all candidates, each with its outcome. */
  function candidates(sample, verdicts) {
    const head = ["number", "phrase", "score", "at this threshold"].map((text) => element("th", { scope: "col" }, text));
    const rows = verdicts.map(([one, why]) =>
      element(
        "tr",
        { class: why ? "not" : "" },
        element("td", {}, element("span", { class: `number ${colour(one.phrase)}` }, String(one.phrase + 1))),
        element("td", { dir: "auto" }, phraseText(sample, one.phrase)),
        element("td", { class: "figure" }, one.score.toFixed(3)),
        element("td", {}, why || "kept"),
      ),
    );
    const table = element("table", { class: "candidates" });
    table.append(element("caption", {}, plural(verdicts.length, "candidate")));
    table.append(element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    return table;
  }

  Object.assign(window.gritmill, { element, body, candidates, words, phraseText, expressionText, number, plural, cut });
})();
