// The claims of a pair: a line for each with its verdict at the slider's stop; the words and boxes that it is about; the
// filter. Python decides the verdicts.
"use strict";

(() => {
  const { element, words, number, cut } = window.gritmill;
  const control = (id) => document.getElementById(id);
  const SIGNS = { supported: "✓", contradicted: "✗", undecided: "?" };
  const VERDICTS = Object.keys(SIGNS); // in the order of `Verdict`
  const KINDS = { count: "counts", relation: "relations", rank: "ranks" };

  /** "exactly 2", "not left_of", "from_left 2". */
  function predicateOf({ predicate, number, negated }) {
    return `${negated ? "not " : ""}${predicate}${number ? ` ${number}` : ""}`;
  }

  for (const sample of window.GRITMILL.samples) {
    sample.claims = sample.claims.map(([kind, from, to, start, end, predicate, number, negated, objects, names, changes]) => {
      const pairs = objects.flatMap((at, index) => (index % 2 ? [] : [[at, objects[index + 1]]]));
      const claim = { kind, words: [from, to], subject: [start, end], objects: pairs, names, changes };
      return { ...claim, predicate: predicateOf({ predicate, number, negated }) };
    });
  }

  // Lines of a card

  const GAP = 20; // signs between two parts of a claim that are shown; longer gaps are "…"
  const inside = (from, to, spans) => spans.some(([start, end]) => start <= from && to <= end);

  /** The parts of a claim that contain the characters [from, to), as class names. */
  function partsAt({ words, subject, objects }, from, to) {
    const side = inside(from, to, [subject]) ? ["subject"] : inside(from, to, objects) ? ["object"] : [];
    return inside(from, to, [words]) ? [...side, "words"] : side;
  }

  const bordersOf = ({ words, subject, objects }) => [words, subject, ...objects].flat();

  /** What the caption says, from the first part of a claim to the last one. */
  function statement(sample, claim) {
    const cuts = [...new Set(bordersOf(claim))].sort((a, b) => a - b);
    return cuts.slice(1).map((to, at) => {
      const parts = partsAt(claim, cuts[at], to);
      const text = words(sample, cuts[at], to);
      if (parts.length) return element("span", { class: parts.join(" ") }, cut(text, 60));
      return to - cuts[at] > GAP ? " … " : text;
    });
  }

  const numbers = ({ names }, [, , ...values]) =>
    names.flatMap((name, at) => (values[at] ?? null) === null ? [] : [`${name} ${values[at]}`]).join(", ") || "nothing measured";

  function line(sample, claim, found, at) {
    const verdict = VERDICTS[found[1]];
    const button = element(
      "button",
      { type: "button", class: `claim ${verdict}`, tabindex: "-1", "data-claim": at, "aria-pressed": "false" },
      element(
        "span",
        {},
        element("span", { class: "sign", "aria-hidden": "true" }, `${SIGNS[verdict]} `),
        element("bdi", {}, ...statement(sample, claim)),
      ),
      " ",
      element("span", { class: "predicate" }, claim.predicate),
      " ",
      element("span", { class: "verdict" }, verdict),
      " ",
      element("span", { class: "measured" }, numbers(claim, found)),
    );
    return element("li", {}, button);
  }

  /** The lines of a card; none if the pair has no claims, or no boxes at this stop. */
  function claimLines(sample, judged) {
    if (!judged.claims.length) return [];
    const lines = judged.claims.map((found, at) => line(sample, sample.claims[at], found, at));
    return [element("div", { class: "claims" }, element("ul", { "aria-label": "claims" }, ...lines))];
  }

  /** The offsets in the caption at which a part of a claim begins or ends. */
  const claimBorders = (sample) => sample.claims.flatMap(bordersOf);

  /** Words of the caption, as an element that a claim can mark. */
  function piece(sample, from, to) {
    const text = words(sample, from, to);
    return sample.claims.length ? element("span", { "data-from": from, "data-to": to }, text) : text;
  }

  // Highlight

  /** Marks the words, the subject and the objects of a claim in the caption and on the image; null removes the marks. */
  function mark(card, at) {
    const sample = window.GRITMILL.samples[card.dataset.sample];
    for (const one of card.querySelectorAll(".caption [data-from], [data-phrase]:not(.ghost)")) {
      const { phrase, from, to } = one.dataset;
      const span = phrase === undefined ? [Number(from), Number(to)] : sample.phrases[phrase];
      const parts = at === null ? [] : partsAt(sample.claims[at], ...span);
      for (const name of ["words", "subject", "object"]) one.classList.toggle(name, parts.includes(name));
    }
  }

  // Filter

  const keyOf = (claim) => `${claim.kind} ${claim.predicate}`;

  /** The values of the controls: a verdict; a kind, or a kind with a predicate. "" stands for all. */
  const wantedClaim = () => ({ verdict: control("filter-verdict").value, claim: control("filter-claim").value });

  /** Whether one claim of a sample has the verdict and is of the kind or predicate. */
  function hasClaim(sample, judged, { verdict, claim }) {
    const isOf = (one) => !claim || one.kind === claim || keyOf(one) === claim;
    const isSo = (found) => !verdict || VERDICTS[found[1]] === verdict;
    return (!verdict && !claim) || judged.claims.some((found, at) => isSo(found) && isOf(sample.claims[at]));
  }

  /** Updates the numbers of samples in both lists, each with what the other one selects. */
  function listClaims(samples, judgements) {
    const { verdict, claim } = wantedClaim();
    const count = (wanted) => samples.filter((sample, at) => hasClaim(sample, judgements[at], wanted)).length;
    const option = (value, text, wanted) => element("option", { value }, `${text} (${number(count(wanted))})`);
    control("filter-verdict").replaceChildren(
      option("", "any verdict", { verdict: "", claim }),
      ...VERDICTS.map((one) => option(one, one, { verdict: one, claim })),
    );
    control("filter-verdict").value = verdict;
    const keys = [...new Set(samples.flatMap((sample) => sample.claims.map(keyOf)))].sort();
    const groups = Object.entries(KINDS).map(([kind, name]) => {
      const own = keys.filter((key) => key.startsWith(`${kind} `));
      const options = own.map((key) => option(key, key.slice(kind.length + 1), { verdict, claim: key }));
      return own.length ? [element("optgroup", { label: name }, option(kind, `all ${name}`, { verdict, claim: kind }), ...options)] : [];
    });
    control("filter-claim").replaceChildren(option("", "any claim", { verdict, claim: "" }), ...groups.flat());
    control("filter-claim").value = claim;
    control("claim-filters").hidden = !keys.length;
  }

  Object.assign(window.gritmill, { claimLines, claimBorders, piece, mark, wantedClaim, hasClaim, listClaims });
})();
