"""A claim and the boxes of its phrases -> a verdict with the numbers that it depends on."""

from collections.abc import Iterable
from functools import cache, lru_cache

from transforms.claims import geometry
from transforms.claims.check_counts import COUNTS, check_count
from transforms.claims.check_ranks import RANKS, SIZES, check_rank
from transforms.claims.check_relations import PICTURE, RELATIONS, check_place, check_relation
from transforms.claims.group_boxes import without_groups
from transforms.claims.stuff import is_stuff
from transforms.claims.verdicts import UNDECIDED, Boxes, Checked, PhraseBoxes, Verdict
from transforms.claims.word_lists import read_list, words_of
from transforms.phrases.class_names import singular
from transforms.phrases.same_things import same_kind
from transforms.records import EXACTLY, NONE, CharSpan, Claim, ClaimKind


def check_claims(claims: Iterable[Claim], boxes: Boxes, width: int, height: int, caption: str = "") -> list[Checked]:
    """The verdict on each claim of a pair. A predicate without a rule is undecided.

    boxes: by the span of the noun chunk; without phrases that the detector was not asked for. width, height: pixels.
    caption: without it, "a bunch of bananas" is a count like "two bananas".
    """
    found = []
    for claim in claims:
        checked = _negated(claim, _check(claim, boxes, width, height, caption))
        if checked.verdict is Verdict.CONTRADICTED and _may_lack_boxes(claim, boxes):
            checked = Checked(Verdict.UNDECIDED, checked.measured)
        found.append(checked)
    return found


def _may_lack_boxes(claim: Claim, boxes: Boxes) -> bool:
    """Whether a box that the source left out could undo a contradiction. Of "three dogs left of a car", it drew two, to
    the right; of "not two dogs", two; of "luggage left of a car", one piece."""
    sides = [one for span in spans_of(claim) if (one := boxes.get(span)) and one.given]
    if claim.kind is ClaimKind.COUNT:
        return claim.negated and claim.predicate == EXACTLY and bool(sides)
    return any(one.crowd or is_stuff(one.head) or _names_several(one) for one in sides)


def _is_measured(claim: Claim, caption: str) -> bool:
    """Whether a count is stated by a word for several things that one box may show: "a bunch of", "a pair of"."""
    words = caption[claim.words_start : claim.words_end].casefold().split()
    return not _measures().isdisjoint(words)


def _has_attributes(claim: Claim, caption: str) -> bool:
    """Whether a count is about "two brown dogs", and not about "two dogs"."""
    return len(caption[claim.words_end : claim.subject_end].split()) > 1


def _shares_labels(span: CharSpan, boxes: Boxes) -> bool:
    """Whether boxes with the label of a phrase may be of another one, of whose things one may have none: of "two cars
    and a taxi", the source may call all three cars; of "two people and a woman", all three people."""
    names = same_kind(_noun(boxes[span].head))
    return any(
        (not one.kept or _names_several(one)) and _noun(one.head) in names
        for other, one in boxes.items()
        if other != span
    )


@cache
def _measures() -> frozenset[str]:
    """Nouns before "of" that stand for several things, and "pair": shoes touch. "A couple of dogs" are two dogs."""
    numbers = read_list("quantities")["measures"]
    return frozenset(
        {"pair"} | {word for word, number in numbers.items() if not number} | words_of("quantities", "herds")
    )


def is_decidable(claim: Claim) -> bool:
    """Whether boxes can support the claim as well as contradict it. The opposite of another claim is undecided."""
    if claim.kind is ClaimKind.RELATION:
        rule = (RELATIONS if claim.objects else PICTURE).get(claim.predicate)
        return rule is not None and rule.provable
    return claim.kind is ClaimKind.COUNT and not claim.is_bare_plural


def is_refutable(claim: Claim) -> bool:
    """Whether any boxes contradict the claim. Most captions have several claims that none contradict."""
    if claim.kind is ClaimKind.COUNT:
        return claim.predicate in COUNTS and not claim.is_bare_plural
    if claim.kind is ClaimKind.RANK:
        return claim.predicate in RANKS and claim.predicate not in SIZES
    return claim.predicate in (RELATIONS if claim.objects else PICTURE)


def compares_nouns(claim: Claim) -> bool:
    """Whether the verdict depends on the other phrases with the same noun: of "two men sitting and one man standing",
    the detector may find three boxes for each."""
    return claim.kind is ClaimKind.RANK or claim.predicate == EXACTLY


def spans_of(claim: Claim) -> list[CharSpan]:
    """The spans of the noun chunks that the verdict on a claim depends on: the subject's, then those of the objects."""
    if not claim.objects:
        return [claim.subject]
    return [claim.subject, *zip(claim.objects[::2], claim.objects[1::2], strict=True)]


def _check(claim: Claim, boxes: Boxes, width: int, height: int, caption: str) -> Checked:
    if claim.kind is ClaimKind.COUNT:  # most claims
        subject = boxes.get(claim.subject)
        checked = check_count(claim.predicate, claim.number, subject)
        # The words can leave a verdict undecided, but not that there are enough things.
        if checked.verdict is Verdict.UNDECIDED or (checked.verdict is Verdict.SUPPORTED and claim.predicate != NONE):
            return checked
        hidden = subject is not None and _noun(subject.head) in words_of("parts", "parts")
        fewer = hidden or claim.is_bare_plural or _is_measured(claim, caption)
        named = subject is not None and subject.labelled
        named = named and (_has_attributes(claim, caption) or _shares_labels(claim.subject, boxes))
        more = hidden or named or (compares_nouns(claim) and bool(_rivals(claim.subject, boxes)))
        return check_count(claim.predicate, claim.number, subject, fewer, more)
    span, *spans = spans_of(claim)
    if claim.kind is ClaimKind.RELATION and claim.predicate not in (RELATIONS if spans else PICTURE):
        return UNDECIDED
    subject = boxes.get(span)
    if subject is None or not subject.kept:
        return UNDECIDED
    kept = geometry.square(subject.kept, width, height)
    if claim.kind is ClaimKind.RANK:
        others = tuple(box for rival in _rivals(span, boxes) for box in without_groups(rival.kept))
        rivals = geometry.square(others, width, height)
        return check_rank(claim.predicate, claim.number, without_groups(kept), rivals)
    if not spans:
        return check_place(claim.predicate, subject.kept, every=claim.negated)
    found = [boxes.get(one, PhraseBoxes()) for one in spans]
    if _is_incomplete(claim.predicate, subject, found):
        return UNDECIDED
    objects = [geometry.square(one.kept, width, height) for one in found]
    return check_relation(claim.predicate, kept, objects, each_other=spans == [span], every=claim.negated)


def _is_incomplete(predicate: str, subject: PhraseBoxes, objects: Iterable[PhraseBoxes]) -> bool:
    """Whether all boxes of a side are taken as one, but of its several things only one has a box: "a man in the middle
    of trucks" is beside the only truck that was found."""
    rule = RELATIONS.get(predicate)
    sides = {"subject": [subject], "object": objects}
    together = sides.get(rule.around, ()) if rule else ()
    return any(len(one.kept) == 1 and _names_several(one) for one in together)


def _names_several(phrase: PhraseBoxes) -> bool:
    """Whether a phrase may name several things."""
    head = phrase.head.casefold()
    return _noun(head) != head or head in words_of("quantities", "same_plural")


def _negated(claim: Claim, checked: Checked) -> Checked:
    if not claim.negated:
        return checked
    verdict = checked.verdict.negated() if is_decidable(claim) else Verdict.UNDECIDED
    return Checked(verdict, checked.measured)


def _rivals(span: CharSpan, boxes: Boxes) -> list[PhraseBoxes]:
    """The other phrases with the same noun, in the singular or the plural, in the order of the caption."""
    noun = _noun(boxes[span].head) if span in boxes else ""
    return [one for other, one in sorted(boxes.items()) if noun and other != span and _noun(one.head) == noun]


@lru_cache(maxsize=4096)
def _noun(head: str) -> str:
    return singular(head.casefold())
