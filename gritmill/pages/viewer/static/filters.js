// Selects and sorts the samples that are shown.
"use strict";

(() => {
  const { element, phraseText, expressionText, wantedClaim, hasClaim } = window.gritmill;
  const control = (id) => document.getElementById(id);
  const bound = (id, otherwise) => (control(id).value === "" ? otherwise : Number(control(id).value));

  /** The current values of the controls. */
  function wanted() {
    return {
      text: control("filter-text").value.trim().toLowerCase(),
      way: control("filter-way").value,
      score: [bound("score-from", -Infinity), bound("score-to", Infinity)],
      boxes: [bound("boxes-from", -Infinity), bound("boxes-to", Infinity)],
      claim: wantedClaim(),
      order: control("order").value,
    };
  }

  const within = (value, [from, to]) => from <= value && value <= to;

  function saysIt(sample, text) {
    if (!text) return true;
    sample.searched ??= sample.phrases
      .map((_, number) => `${phraseText(sample, number)}\n${expressionText(sample, number)}`.toLowerCase())
      .join("\n");
    return sample.searched.includes(text);
  }

  const wayOf = (judged) => (judged.reason ? `${judged.outcome} · ${judged.reason}` : judged.outcome);
  const isWay = (judged, way) => !way || judged.outcome === way || wayOf(judged) === way;

  function passes(sample, judged, filters) {
    const everyScore = filters.score[0] === -Infinity && filters.score[1] === Infinity;
    return (
      isWay(judged, filters.way) &&
      saysIt(sample, filters.text) &&
      hasClaim(sample, judged, filters.claim) &&
      within(judged.boxes.length, filters.boxes) &&
      (everyScore || judged.boxes.some((box) => within(box.score, filters.score)))
    );
  }

  const scores = (judged) => judged.boxes.map((box) => box.score);
  const ORDERS = {
    input: () => 0,
    low: (judged) => Math.min(2, ...scores(judged)),
    high: (judged) => -Math.max(-1, ...scores(judged)),
    boxes: (judged) => -judged.boxes.length,
  };

  /** The numbers of the samples to show, in order. judgements: one per sample. */
  function shown(samples, judgements, filters) {
    const found = [];
    samples.forEach((sample, number) => {
      if (passes(sample, judgements[number], filters)) found.push(number);
    });
    const key = ORDERS[filters.order];
    return found.sort((a, b) => key(judgements[a]) - key(judgements[b]) || a - b);
  }

  /** Updates the list of outcomes and their numbers of samples. The selected outcome stays selected. */
  function listWays(judgements) {
    const select = control("filter-way");
    const chosen = select.value;
    const counts = new Map([["kept", 0], ["rejected", 0], ["failed", 0]]);
    for (const judged of judgements) {
      counts.set(judged.outcome, counts.get(judged.outcome) + 1);
      if (judged.reason) counts.set(wayOf(judged), (counts.get(wayOf(judged)) ?? 0) + 1);
    }
    if (chosen && !counts.has(chosen)) counts.set(chosen, 0);
    const rank = { kept: 0, rejected: 1, failed: 2 };
    const ways = [...counts].sort(([a], [b]) => rank[a.split(" ")[0]] - rank[b.split(" ")[0]] || (a < b ? -1 : 1));
    const options = ways.map(([way, count]) => element("option", { value: way }, `${way} (${count})`));
    select.replaceChildren(element("option", { value: "" }, `all outcomes (${judgements.length})`), ...options);
    select.value = chosen;
  }

  Object.assign(window.gritmill, { wanted, shown, listWays });
})();
