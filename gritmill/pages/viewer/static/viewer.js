// The page: slider, filters, gallery, keys. If the threshold moves, only visible cards are redrawn.
"use strict";

(() => {
  const { element, body, candidates, plural, charts, curve, number, ranked, verdicts, judge } = window.gritmill;
  const { wanted, shown, listWays, listClaims, fit, light, pin, listen, cardOf, phraseOf } = window.gritmill;
  const { run, stops, samples, seed } = window.GRITMILL;
  const control = (id) => document.getElementById(id);
  const gallery = control("gallery");
  const enlarged = control("enlarged");
  const BATCH = 48;

  let at = stops.own;
  let judgements = [];
  let list = [];
  let current = 0; // index in `list` of the card that Tab reaches
  const cards = new Map(); // sample number -> its card
  const stale = new Set();
  const visible = new Set();

  for (const sample of samples) {
    sample.chars = Array.from(sample.caption);
    sample.ranked = ranked(sample);
  }

  // Threshold and counts

  const threshold = () => stops.score[at];
  const scoreText = (value) => Number(value.toFixed(4)).toString();

  function judgeAll() {
    judgements = samples.map((sample) => judge(sample, run.selection, stops.score, at));
  }

  function listOptions() {
    listWays(judgements);
    listClaims(samples, judgements);
  }

  function sampleCounts() {
    const kept = judgements.filter((judged) => judged.outcome === "kept");
    const boxes = kept.reduce((sum, judged) => sum + judged.boxes.length, 0);
    const phrases = kept.reduce((sum, judged) => sum + new Set(judged.boxes.map((box) => box.phrase)).size, 0);
    return { pairs: kept.length, phrases, boxes };
  }

  function showCounts() {
    const counts = sampleCounts();
    for (const name of ["pairs", "phrases", "boxes"]) {
      const whole = stops[name][at];
      control(`all-${name}`).textContent = number(whole);
      control(`own-${name}`).textContent = number(counts[name]);
    }
    control("threshold-value").textContent = scoreText(threshold());
    const slider = control("threshold");
    slider.value = at;
    slider.setAttribute("aria-valuetext", `${scoreText(threshold())}${at === stops.own ? ", threshold of the run" : ""}`);
    control("own").disabled = at === stops.own;
    curve(control("curve"), stops, at);
  }

  function statusText() {
    const whole = stops.pairs[at];
    const part = `${number(list.length)} of ${plural(samples.length, "sample")} at threshold ${scoreText(threshold())}`;
    return `${part}; the whole run would keep ${number(whole)} of ${plural(run.read, "pair")}`;
  }

  let saying = 0;
  function say() {
    clearTimeout(saying);
    saying = setTimeout(() => (control("status").textContent = statusText()), 200);
  }

  // Cards

  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        const sample = Number(entry.target.dataset.sample);
        if (entry.isIntersecting) {
          visible.add(sample);
          if (stale.has(sample)) draw(sample);
        } else visible.delete(sample);
      }
    },
    { rootMargin: "400px" },
  );

  const more = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && extend(), {
    rootMargin: "1200px",
  });

  const ghostsOf = (sample) => control("ghosts").checked && verdicts(samples[sample].ranked, run.selection, threshold());

  function draw(sample) {
    stale.delete(sample);
    const card = cards.get(sample);
    const judged = judgements[sample];
    const way = judged.reason ? `${judged.outcome}, ${judged.reason}` : judged.outcome;
    card.setAttribute("aria-label", `${samples[sample].key}: ${way}, ${plural(judged.boxes.length, "box")}`);
    card.replaceChildren(...body(samples[sample], judged, ghostsOf(sample)));
    fit(card);
    if (card.dataset.pinned) light(card, card.dataset.pinned);
    if (list[current] === sample) reach(card, true);
  }

  /** Appends the next cards. */
  function extend() {
    const next = list.slice(gallery.childElementCount, gallery.childElementCount + BATCH);
    const added = next.map((sample) => {
      const card = element("article", { class: "card", tabindex: "-1", "data-sample": sample });
      cards.set(sample, card);
      draw(sample);
      seen.observe(card);
      return element("li", {}, card);
    });
    gallery.append(...added);
    more.unobserve(control("more"));
    if (gallery.childElementCount < list.length) more.observe(control("more")); // triggers the check again
  }

  function rebuild() {
    const kept = list[current];
    list = shown(samples, judgements, wanted());
    current = Math.max(0, list.indexOf(kept));
    seen.disconnect();
    cards.clear();
    stale.clear();
    visible.clear();
    gallery.replaceChildren();
    control("empty").hidden = list.length > 0;
    if (list.length) {
      do extend();
      while (gallery.childElementCount <= current && gallery.childElementCount < list.length);
    }
  }

  /** Updates the page after the threshold has moved. The gallery is rebuilt only if the list of samples changes. */
  function refresh() {
    judgeAll();
    listOptions();
    showCounts();
    const now = shown(samples, judgements, wanted());
    if (now.length === list.length && now.every((sample, index) => sample === list[index])) redraw();
    else rebuild();
    say();
  }

  function redraw() {
    for (const sample of cards.keys()) stale.add(sample);
    for (const sample of visible) draw(sample);
  }

  let asked = 0;
  function soon() {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(refresh);
  }

  // Keys

  /** Makes a card and its phrases, boxes and claims reachable by Tab, or not. */
  function reach(card, reachable) {
    for (const one of [card, ...card.querySelectorAll("[data-phrase], [data-claim]")]) one.tabIndex = reachable ? 0 : -1;
  }

  function become(position) {
    const before = cards.get(list[current]);
    if (before) reach(before, false);
    current = position;
    reach(cards.get(list[current]), true);
  }

  function move(position) {
    if (!list.length) return;
    const to = Math.max(0, Math.min(list.length - 1, position));
    while (gallery.childElementCount <= to) extend();
    become(to);
    cards.get(list[to]).focus();
    cards.get(list[to]).scrollIntoView({ block: "nearest" });
  }

  const SCROLLING = new Set(["ArrowDown", "ArrowUp", "Home", "End"]);
  const perRow = () => getComputedStyle(gallery).gridTemplateColumns.split(" ").length;
  const inGallery = () => gallery.contains(document.activeElement);

  /** The position that a key moves to from the current card; null if the key does not move. */
  function target(key) {
    const inside = inGallery();
    if (key === "j") return inside ? current + 1 : current;
    if (key === "k") return inside ? current - 1 : current;
    if (!inside) return null;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow(), ArrowUp: -perRow() };
    if (key in steps) return current + steps[key];
    return { Home: 0, End: list.length - 1 }[key] ?? null;
  }

  function onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select") || enlarged.open) return;
    if (event.target.matches(".caption, .claims ul") && SCROLLING.has(event.key)) return;
    const to = target(event.key);
    const phrase = phraseOf(event.target);
    if (to !== null) move(to);
    else if (event.key === "/") control("filter-text").focus();
    else if (event.key === "Escape" && cardOf(event.target)) pin(cardOf(event.target), null);
    else if (event.target.matches(".card") && event.key === "Enter") enlarge(Number(event.target.dataset.sample));
    else if (event.target.matches("span.phrase") && (event.key === "Enter" || event.key === " ")) {
      pin(cardOf(event.target), phrase);
    } else return;
    event.preventDefault();
  }

  // Enlarged

  function enlarge(sample) {
    const judged = judgements[sample];
    const found = verdicts(samples[sample].ranked, run.selection, threshold());
    const close = element("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    const bar = element("div", { class: "top" }, element("h2", {}, element("bdi", {}, samples[sample].key)), close);
    close.addEventListener("click", () => enlarged.close());
    const card = element("article", { class: "card large", "data-sample": sample });
    card.append(...body(samples[sample], judged, control("ghosts").checked && found, true), candidates(samples[sample], found));
    reach(card, true);
    card.tabIndex = -1;
    enlarged.replaceChildren(bar, card);
    fit(card);
    enlarged.dataset.sample = sample;
    if (!enlarged.open) enlarged.showModal();
    become(Math.max(0, list.indexOf(sample)));
  }

  // The browser would return the focus to the pair that was enlarged first.
  enlarged.addEventListener("close", () => move(list.indexOf(Number(enlarged.dataset.sample))));
  enlarged.addEventListener("click", (event) => event.target === enlarged && enlarged.close());
  enlarged.addEventListener("keydown", (event) => {
    const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
    const next = current + step;
    if (step && list[next] !== undefined) {
      while (gallery.childElementCount <= next) extend();
      enlarge(list[next]);
    } else if (event.target.matches("span.phrase") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      pin(cardOf(event.target), phraseOf(event.target));
    }
  });

  // Static texts

  function introduce() {
    document.title = `${run.name} · gritmill view`;
    control("name").textContent = run.name;
    control("summary").textContent =
      `${plural(run.read, "pair")} read, ${number(run.written)} written · ${plural(samples.length, "sample")} of seed ${seed} · ` +
      `boxes by ${run.boxes_by}`;
    control("warnings").textContent = run.warnings.join(". ");
    const slider = control("threshold");
    slider.min = 0;
    slider.max = stops.score.length - 1;
    control("own").textContent = `this run: ${scoreText(stops.score[stops.own])}`;
    control("threshold-note").textContent = note();
    control("charts").append(...charts(run));
    if (!samples.length) control("empty").textContent = "This run has no pairs.";
  }

  function note() {
    const counts = "Counts over all rows, with suppression, caps and the other settings of the run.";
    const floor = run.floor === null ? "" : ` There are no candidates below ${scoreText(run.floor)} (detector.floor).`;
    return `Threshold of the run ${run.threshold}. ${counts}${floor}`;
  }

  control("threshold").addEventListener("input", (event) => {
    at = Number(event.target.value);
    soon();
  });
  control("own").addEventListener("click", () => {
    at = stops.own;
    refresh();
    control("threshold").focus();
  });
  control("filters").addEventListener("submit", (event) => event.preventDefault());
  control("filters").addEventListener("reset", () => setTimeout(refreshAll));
  control("filters").addEventListener("input", (event) => {
    if (event.target.id === "ghosts") redraw();
    else refreshAll();
  });
  document.addEventListener("keydown", onKey);
  gallery.addEventListener("focusin", (event) => {
    const card = cardOf(event.target);
    if (card) become(list.indexOf(Number(card.dataset.sample)));
  });
  listen(gallery);
  listen(enlarged);
  gallery.addEventListener("click", (event) => {
    const onPicture = event.target.closest(".frame") && phraseOf(event.target) === null;
    if (onPicture) enlarge(Number(cardOf(event.target).dataset.sample));
  });

  function refreshAll() {
    listOptions();
    rebuild();
    say();
  }

  introduce();
  judgeAll();
  listOptions();
  showCounts();
  rebuild();
  control("status").textContent = statusText();

  Object.assign(window.gritmill, { judgements: () => judgements, list: () => list });
})();
