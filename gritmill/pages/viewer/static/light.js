// A phrase and its boxes light each other: under the mouse, under the focus, and for as long as one is pinned.
"use strict";

(() => {
  const cardOf = (target) => target.closest?.(".card");
  const phraseOf = (target) => target.closest?.("[data-phrase]")?.dataset.phrase ?? null;

  /** Lights what belongs to a phrase of a card; null: nothing. */
  function light(card, phrase) {
    card.classList.toggle("lighting", phrase !== null);
    for (const one of card.querySelectorAll("[data-phrase], [data-within]")) {
      one.classList.toggle("lit", phrase !== null && (one.dataset.phrase ?? one.dataset.within) === phrase);
    }
  }

  /** Keeps a phrase lit; the same one again, or null, lets it go. */
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

  /** Lights the cards inside an element, now and later. */
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
