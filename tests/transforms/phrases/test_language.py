"""The language gate rejects captions that are clearly in another language. Short or mixed ones pass."""

from contextlib import nullcontext

import pytest

from tests.shared import DATA, needs_shared
from tests.transforms.phrases.extraction import with_phrases
from transforms.phrases.language import LanguageGate
from transforms.records import Drop, FailureStage, Fault, Pair, Reason
from transforms.selection.judge import Policy, Rejected, judge
from transforms.settings import SelectionSettings, TextSettings

POLICY = Policy(SelectionSettings(), 0.3, TextSettings())


@pytest.fixture(scope="module")
def gate():
    return LanguageGate(("en",))


@pytest.mark.parametrize(
    "caption",
    [
        "Der Hund läuft über die Wiese und bellt den Briefträger an",
        "une femme assise sur un banc dans le parc avec son chien",
        "公園のベンチに座っている犬",
        "Собака сидит на скамейке в парке",
        "كلب يجلس على مقعد في الحديقة",
    ],
)
def test_other_languages_are_held_back(gate, caption):
    assert gate.rejects(caption)


@pytest.mark.parametrize("caption", ["a dog", "", "   ", "🐕🐕", "NIKE AIR MAX 90", "the café", "2019", "a" * 5000])
def test_what_is_short_or_unsure_passes(gate, caption):
    assert not gate.rejects(caption)


def test_several_languages_may_be_wanted():
    gate = LanguageGate(("en", "de"))
    assert not gate.rejects("Der Hund läuft über die Wiese und bellt den Briefträger an")
    assert gate.rejects("une femme assise sur un banc dans le parc avec son chien")


def test_an_unknown_code_is_refused():
    with pytest.raises(ValueError, match=r"phrases.languages: no language english; use one of .*\ben\b"):
        LanguageGate(("en", "english"))


@needs_shared
def test_captions_of_photos_pass(gate):
    lines = (DATA / "captions" / "coco_val2017_captions.tsv").read_text("utf-8").splitlines()[1:3001]
    assert sum(gate.rejects(line.rpartition("\t")[2]) for line in lines) == 0


class Silent:
    """A spaCy pipeline that fails if it gets a caption."""

    def memory_zone(self):
        return nullcontext()

    def pipe(self, captions):
        assert list(captions) == []
        return iter(())


def test_a_caption_held_back_is_rejected_as_such_and_never_parsed(gate):
    pair = Pair("k", "s", 0, "Der Hund läuft über die Wiese und bellt den Briefträger an")
    (held,) = with_phrases(Silent(), [pair], {}, gate)
    assert [(d.start, d.end, d.reason) for d in held.dropped] == [(0, len(pair.caption), Drop.LANGUAGE)]
    assert judge(held, POLICY) == Rejected(Reason.LANGUAGE)


def test_a_pair_that_has_failed_stays_as_it_is(gate):
    failed = Pair("k", "s", 0, "a dog", error=Fault(FailureStage.IMAGE, Reason.TRUNCATED))
    assert with_phrases(Silent(), [failed], {}, gate) == [failed]
