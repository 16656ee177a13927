// Candidate boxes -> the boxes of the data set, bit for bit as in transforms/selection/select_boxes.py and judge.py.
// Corners and scores are 32-bit numbers. Computations use 64 bits and the same order of operations.
"use strict";

window.gritmill = {};

(() => {
  const area = (box) => (box.x2 - box.x1) * (box.y2 - box.y1);

  function iou(a, b) {
    const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
    const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
    if (width <= 0 || height <= 0) return 0;
    const shared = width * height;
    const union = area(a) + area(b) - shared;
    return union > 0 ? shared / union : 0;
  }

  function byKeys(keys) {
    return (a, b) => {
      for (const key of keys) {
        const difference = key(a) - key(b);
        if (difference) return difference;
      }
      return 0;
    };
  }

  const score = (box) => -box.score;
  const span = [(box) => box.start, (box) => box.end];
  const corners = [(box) => box.x1, (box) => box.y1, (box) => box.x2, (box) => box.y2];
  const byRank = byKeys([score, ...span, ...corners]);
  const asInRecord = byKeys([...span, score, ...corners]);

  function fits(box, settings) {
    const shortest = Math.min(box.x2 - box.x1, box.y2 - box.y1);
    return shortest >= settings.min_side && settings.min_area <= area(box) && area(box) <= settings.max_area;
  }

  /** The candidates of a sample as objects, best first. */
  function ranked(sample) {
    const boxes = sample.boxes.map(([phrase, ...numbers], index) => {
      const [x1, y1, x2, y2, score] = numbers.map(Math.fround);
      const [start, end] = sample.phrases[phrase];
      const ambiguous = sample.ambiguous.includes(phrase);
      const group = sample.groups.includes(index);
      return { index, phrase, x1, y1, x2, y2, score, start, end, ambiguous, group };
    });
    return boxes.sort(byRank);
  }

  /** The outcome of each candidate: [box, reason why it is not kept]; the reason is "" if it is kept. */
  function verdicts(boxes, settings, threshold) {
    const kept = [];
    const counts = new Map();
    let places = settings.boxes_per_pair ?? Infinity;
    return boxes.map((box) => {
      if (!(box.score >= threshold)) return [box, "below the threshold"];
      if (!fits(box, settings)) return [box, "too small or too large"];
      const better = kept.find((other) => iou(box, other) > settings.nms_iou);
      if (better) return [box, `overlaps a better box by IoU ${iou(box, better).toFixed(2)}`];
      kept.push(box); // a box that is removed below still suppresses others
      if (box.ambiguous) return [box, "belongs as well to another phrase"];
      if (box.group) return [box, "covers several boxes of its phrase"];
      const count = (counts.get(box.phrase) ?? 0) + 1;
      counts.set(box.phrase, count);
      if (settings.boxes_per_phrase !== null && count > settings.boxes_per_phrase) {
        return [box, "removed by boxes_per_phrase"];
      }
      if (places-- <= 0) return [box, "removed by boxes_per_pair"];
      return [box, ""];
    });
  }

  /** The kept boxes, in the order of a record. */
  function select(boxes, settings, threshold) {
    const found = verdicts(boxes, settings, threshold);
    return found.filter(([, why]) => !why).map(([box]) => box).sort(asInRecord);
  }

  /** The change that holds at a stop: each holds from its own stop down to that of the next one. */
  const lookUp = (changes, stop) => changes.findLast(([highest]) => highest >= stop);

  /** The outcome of a pair (kept, rejected or failed) at a stop, the reason, the detail, its boxes, and what holds for
      each of its claims. Python has computed which reasons and verdicts hold with these boxes. */
  function judge(sample, settings, scores, stop) {
    const [outcome, stage, reason, detail] = sample.outcome;
    if (outcome === "failed") return { outcome, reason: `${stage}: ${reason}`, detail, boxes: [], claims: [] };
    if (!sample.phrases.length) return { outcome, reason, detail, boxes: [], claims: [] };
    const boxes = select(sample.ranked, settings, scores[stop]);
    if (!boxes.length) return { outcome: "rejected", reason: "no_box", detail: "", boxes, claims: [] };
    const claims = sample.claims.map((claim) => lookUp(claim.changes, stop));
    const refused = lookUp(sample.refused, stop)?.[1] ?? "";
    return { outcome: refused ? "rejected" : "kept", reason: refused, detail: "", boxes, claims };
  }

  Object.assign(window.gritmill, { ranked, verdicts, select, judge });
})();
