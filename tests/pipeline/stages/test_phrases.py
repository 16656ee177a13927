"""The stage of the phrases: which pairs get claims."""

from pipeline.stages.phrases import Phrases
from pipeline.stages.runner import StageRunner
from transforms.annotations.columns import AnnotationColumns
from transforms.records import ClaimKind, Drop, Pair
from transforms.settings import PhraseSettings

PAIR = Pair("k", "s", 0, "Two cups on a table.", data=b"picture")


def claims(settings):
    [row] = StageRunner(Phrases(settings)).process([PAIR])
    assert row.phrases
    return row.claims


def test_pairs_get_the_claims_of_their_caption():
    assert [(claim.kind, claim.predicate, claim.number) for claim in claims(PhraseSettings())] == [
        (ClaimKind.COUNT, "exactly", 2),
        (ClaimKind.RELATION, "on", 0),
        (ClaimKind.COUNT, "at_least", 1),
    ]


def test_claims_can_be_left_out():
    assert claims(PhraseSettings(claims=False)) == ()


def test_what_a_caption_says_is_not_there_is_no_phrase_unless_claims_are_left_out():
    pair = Pair("k", "s", 0, "A dog without a collar", data=b"picture")
    for reads, expected in ((True, ["A dog"]), (False, ["A dog", "a collar"])):  # as in release 0.1
        [row] = StageRunner(Phrases(PhraseSettings(claims=reads))).process([pair])
        assert [row.text(phrase) for phrase in row.phrases] == expected
        assert [drop.reason for drop in row.dropped] == ([Drop.ABSENT] if reads else [])


def test_phrases_of_the_source_have_no_claims():
    given = AnnotationColumns(phrases=("phrases",))
    pair = Pair("k", "s", 0, PAIR.caption, meta='{"phrases": ["Two cups"]}')
    [row] = StageRunner(Phrases(PhraseSettings(), given)).process([pair])
    assert (len(row.phrases), row.claims) == (1, ())


def test_runs_of_earlier_releases_keep_their_fingerprint_and_have_no_claims():
    earlier = {key: value for key, value in PhraseSettings().model_dump(mode="json").items() if key != "claims"}
    read_back = PhraseSettings.read_back(earlier)
    assert not read_back.claims
    assert "claims" not in read_back.fingerprint_values()
    assert PhraseSettings().fingerprint_values()["claims"] is True
    assert not PhraseSettings().resuming(read_back).claims
    assert PhraseSettings(claims=True).resuming(read_back).claims
