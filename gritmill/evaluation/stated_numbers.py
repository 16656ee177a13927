"""How many things the phrases of a caption name, by its own words."""

from transforms.claims.unsure import is_unsure_in
from transforms.phrases.class_names import class_name, is_singular
from transforms.phrases.same_things import is_everywhere
from transforms.records import Claim, Pair, Phrase
from transforms.stated_numbers import Stated, first_counts, stated_number


def stated_numbers(pair: Pair) -> dict[int, Stated]:
    """The stated numbers by number of the phrase, for phrases that have one.

    "Two dogs" and "both dogs" state an exact number. A noun in the singular states 1: "a dog", "the dog". A plural
    without a number ("dogs", "several dogs", "a group of dogs") states none. Left out are phrases whose noun has no
    instances, or is everywhere ("the sky", "a street"), as it is for decoys; what may not be there ("waiting for a
    bus"); and a noun whose singular and plural are alike, without an article ("the sheep"). What a caption says is not
    there is no phrase.
    """
    counts, stated = first_counts(pair.claims), {}
    for number, phrase in enumerate(pair.phrases):
        found = _stated(pair, phrase, counts.get((phrase.start, phrase.end)))
        if found and not _is_everywhere(pair, phrase) and not is_unsure_in(pair.caption, phrase.start, phrase.end):
            stated[number] = found
    return stated


def _stated(pair: Pair, phrase: Phrase, count: Claim | None) -> Stated | None:
    if count is None:
        return Stated(1, False) if is_singular(_head(pair, phrase)) else None
    return stated_number(count)


def _is_everywhere(pair: Pair, phrase: Phrase) -> bool:
    return is_everywhere(class_name(pair.caption, phrase.start, (phrase.head_start, phrase.head_end)))


def _head(pair: Pair, phrase: Phrase) -> str:
    return pair.caption[phrase.head_start : phrase.head_end].lower()
