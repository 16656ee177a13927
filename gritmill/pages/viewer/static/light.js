// Highlights a phrase with its boxes, or a claim with its words and the boxes of its subject and objects: while one of
// them has the mouse or the focus, or while it is pinned.
"use strict";

(() => {
  const { mark } = window.gritmill;
  const cardOf = (target) => target.closest?.(".card");
  const phraseOf = (target) => target.closest?.("[data-phrase]")?.dataset.phrase ?? null;

  const keyOf = ({ dataset }) => dataset.phrase ?? dataset.within ?? `claim ${dataset.claim}`;

  /** The key of the phrase ("2") or claim ("claim 2") that a part of a card stands for, or null. */
  function keyAt(target) {
    const found = target.closest?.("[data-phrase], [data-claim]");
    return found ? keyOf(found) : null;
  }

  /** Highlights a phrase or a claim of a card; null removes the highlight. */
  function light(card, key) {
    const claim = [...card.querySelectorAll("[data-claim]")].find((one) => keyOf(one) === key);
    mark(card, claim ? claim.dataset.claim : null);
    let lit = false;
    for (const one of card.querySelectorAll("[data-phrase], [data-within], [data-claim]")) {
      const own = keyOf(one) === key || one.matches(".subject, .object");
      one.classList.toggle("lit", own);
      lit ||= own;
    }
    card.classList.toggle("lighting", lit);
  }

  /** Pins a phrase or claim, so that it stays highlighted. The pinned one again, or null, unpins it. */
  function pin(card, key) {
    const released = key === null || card.dataset.pinned === key;
    if (released) delete card.dataset.pinned;
    else card.dataset.pinned = key;
    for (const one of card.querySelectorAll("[data-phrase], [data-claim]")) {
      one.setAttribute("aria-pressed", String(!released && keyOf(one) === key));
    }
    light(card, released ? null : key);
  }

  function on(event) {
    const key = keyAt(event.target);
    if (key !== null) light(cardOf(event.target), key);
  }

  function off(event) {
    const card = cardOf(event.target);
    if (card && keyAt(event.target) !== null) light(card, card.dataset.pinned ?? null);
  }

  /** Adds the listeners to an element, for all cards inside it, including those added later. */
  function listen(place) {
    place.addEventListener("mouseover", on);
    place.addEventListener("focusin", on);
    place.addEventListener("mouseout", off);
    place.addEventListener("focusout", off);
    place.addEventListener("click", (event) => {
      const key = keyAt(event.target);
      if (key !== null) pin(cardOf(event.target), key);
    });
  }

  Object.assign(window.gritmill, { light, pin, listen, cardOf, phraseOf });
})();
