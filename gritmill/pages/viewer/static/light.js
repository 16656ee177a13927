// Highlights a phrase together with its boxes: while one has the mouse or the focus, or while the phrase is pinned.
"use strict";

(() => {
  const cardOf = (target) => target.closest?.(".card");
  const phraseOf = (target) => target.closest?.("[data-phrase]")?.dataset.phrase ?? null;

  /** Highlights the elements of a phrase of a card; null removes the highlight. */
  function light(card, phrase) {
    card.classList.toggle("lighting", phrase !== null);
    for (const one of card.querySelectorAll("[data-phrase], [data-within]")) {
      one.classList.toggle("lit", phrase !== null && (one.dataset.phrase ?? one.dataset.within) === phrase);
    }
  }

  /** Pins a phrase, so that it stays highlighted. The pinned phrase again, or null, unpins it. */
  function pin(card, phrase) {
    const released = phrase === null || card.dataset.pinned === phrase;
    if (released) delete card.dataset.pinned;
    else card.dataset.pinned = phrase;
    for (const one of card.querySelectorAll("[data-phrase]")) {
      one.setAttribute("aria-pressed", String(!released && one.dataset.phrase === phrase));
    }
    light(card, released ? null : phrase);
  }

  function on(event) {
    const phrase = phraseOf(event.target);
    if (phrase !== null) light(cardOf(event.target), phrase);
  }

  function off(event) {
    const card = cardOf(event.target);
    if (card && phraseOf(event.target) !== null) light(card, card.dataset.pinned ?? null);
  }

  /** Adds the listeners to an element, for all cards inside it, including those added later. */
  function listen(place) {
    place.addEventListener("mouseover", on);
    place.addEventListener("focusin", on);
    place.addEventListener("mouseout", off);
    place.addEventListener("focusout", off);
    place.addEventListener("click", (event) => {
      const phrase = phraseOf(event.target);
      if (phrase !== null) pin(cardOf(event.target), phrase);
    });
  }

  Object.assign(window.gritmill, { light, pin, listen, cardOf, phraseOf });
})();
