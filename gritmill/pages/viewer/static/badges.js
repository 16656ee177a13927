// Places the number badges of the boxes: outside of the box where there is room, and never over a small box if another
// place is free. All coordinates are CSS pixels.
"use strict";

(() => {
  const FAR = 6; // half badge heights: how far from a small box its badge may be, if all places next to it are taken
  const PASSES = 3; // later badges take places; the passes after the first let earlier badges give way

  /** The area that two rectangles share. */
  function shared(a, b) {
    const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
    const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
    return width > 0 && height > 0 ? width * height : 0;
  }

  const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

  /** Whether a badge would hide much of the box. */
  const isSmall = (box, { width, height }) => box.x2 - box.x1 < 3 * width || box.y2 - box.y1 < 3 * height;

  /** The left upper corners that a badge can have, best first: above, below, left, right, diagonal, inside, far. */
  function corners(box, { width, height }) {
    const [above, below, left, right] = [box.y1 - height, box.y2, box.x1 - width, box.x2];
    const xs = [box.x1, box.x2 - width, (box.x1 + box.x2 - width) / 2];
    const ys = [box.y1, box.y2 - height, (box.y1 + box.y2 - height) / 2];
    const found = [above, below].flatMap((y) => xs.map((x) => [x, y]));
    found.push(...[left, right].flatMap((x) => ys.map((y) => [x, y])));
    found.push([left, above], [right, above], [left, below], [right, below]);
    if (!isSmall(box, { width, height })) return [...found, ...xs.flatMap((x) => [ys[0], ys[1]].map((y) => [x, y]))];
    for (let step = 1; step <= FAR; step++) {
      const away = (step * height) / 2;
      for (const [x, toX] of [[xs[2], 0], [left, -away], [right, away]]) {
        for (const [y, toY] of [[above, -away], [below, away], [ys[2], 0]]) if (toX || toY) found.push([x + toX, y + toY]);
      }
    }
    return found;
  }

  /** What a badge hides: small boxes and badges count most. */
  function hidden(place, size, boxes, taken) {
    let cost = 0;
    for (const one of boxes) cost += shared(place, one) * (isSmall(one, size) ? 100 : 0.02);
    for (const one of taken) cost += shared(place, one) * 100;
    return cost;
  }

  /** The cheapest place of a badge inside the bounds, as a rectangle. taken: badges that already have a place. */
  function cheapest(bounds, box, size, boxes, taken) {
    let best = null;
    let lowest = Infinity;
    corners(box, size).forEach(([x, y], rank) => {
      const x1 = clamp(x, bounds.x1, Math.max(bounds.x1, bounds.x2 - size.width));
      const y1 = clamp(y, bounds.y1, Math.max(bounds.y1, bounds.y2 - size.height));
      const place = { x1, y1, x2: x1 + size.width, y2: y1 + size.height };
      const cost = rank + hidden(place, size, boxes, taken);
      if (cost < lowest) [best, lowest] = [place, cost];
    });
    return best;
  }

  /** A place for the badge of each box. bounds and boxes: rectangles x1, y1, x2, y2. sizes: width, height per badge. */
  function places(bounds, boxes, sizes) {
    const area = (at) => (boxes[at].x2 - boxes[at].x1) * (boxes[at].y2 - boxes[at].y1);
    const order = [...boxes.keys()].sort((a, b) => area(a) - area(b));
    const found = new Map();
    for (let pass = 0; pass < PASSES; pass++) {
      for (const at of order) {
        found.delete(at);
        found.set(at, cheapest(bounds, boxes[at], sizes[at], boxes, [...found.values()]));
      }
    }
    return boxes.map((_, at) => found.get(at));
  }

  const rectangle = ({ left, top, right, bottom }) => ({ x1: left, y1: top, x2: right, y2: bottom });

  /** Whether a badge that shows its score should grow to the left: where it leaves the bounds less, then hides less. */
  function growsLeft(bounds, place, size, extra, boxes, taken) {
    const [left, right] = [{ ...place, x1: place.x1 - extra }, { ...place, x2: place.x2 + extra }];
    const outside = Math.max(0, bounds.x1 - left.x1) - Math.max(0, right.x2 - bounds.x2);
    return outside ? outside < 0 : hidden(left, size, boxes, taken) < hidden(right, size, boxes, taken);
  }

  /** Places the badges of an image. Badges of candidates that are not kept appear one by one; they give way to all. */
  function place(sheet) {
    const bounds = rectangle(sheet.parentElement.getBoundingClientRect());
    const all = [...sheet.querySelectorAll(".box")].map((button) => {
      const badge = button.querySelector(".tag");
      const { width: shown, height } = badge.getBoundingClientRect();
      const extra = badge.querySelector(".score").getBoundingClientRect().width;
      const width = button.matches(".lit") ? shown - extra : shown; // a lit badge shows its score
      const box = rectangle(button.getBoundingClientRect());
      const [edge, ghost] = [button.clientLeft, button.matches(".ghost")]; // the badge is positioned inside the border
      return { badge, box, edge, ghost, size: { width, height }, extra };
    });
    const kept = all.filter((one) => !one.ghost);
    const boxes = kept.map((one) => one.box);
    const found = places(bounds, boxes, kept.map((one) => one.size));
    kept.forEach((one, at) => (one.place = found[at]));
    for (const one of all) {
      const { badge, box, edge, size, extra } = one;
      const at = one.place ?? cheapest(bounds, box, size, [box, ...boxes], found);
      const left = growsLeft(bounds, at, size, extra, [box, ...boxes], found.filter((other) => other !== at));
      badge.style.top = `${at.y1 - box.y1 - edge}px`;
      badge.style.left = left ? "auto" : `${at.x1 - box.x1 - edge}px`;
      badge.style.right = left ? `${box.x2 - at.x2 - edge}px` : "auto";
    }
  }

  /** A caption or a list that scrolls must be reachable by Tab, so that keys can scroll it. */
  function reachScrolling(one) {
    const scrolls = one.scrollHeight > one.clientHeight + 1;
    const names = one.matches(".caption") ? [["role", "group"], ["aria-label", "caption"]] : []; // a list has them
    for (const [name, value] of [["tabindex", "0"], ...names]) {
      if (scrolls) one.setAttribute(name, value);
      else one.removeAttribute(name);
    }
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.isConnected) (target.matches(".sheet") ? place : reachScrolling)(target);
  });

  /** Lays out the badges, the caption and the claims of a card, now and whenever its size changes. */
  function fit(card) {
    for (const one of card.querySelectorAll(".sheet, .caption, .claims ul")) sizes.observe(one);
  }

  Object.assign(window.gritmill, { fit, places });
})();
