"""Reading the statements of VSR (Visual Spatial Reasoning, Liu et al., TACL 2023), which are not in the repository.

Each of its rows is "The SUBJECT is RELATION the OBJECT.", with the relation in a field. The rules do not see that: the
same statements inside longer sentences must read the same.
"""

import json
import re

import pytest

from tests.shared import SHARED, needs_shared
from transforms.claims.word_lists import wordings_at
from transforms.records import ClaimKind

pytestmark = [
    needs_shared,
    pytest.mark.skipif(not (SHARED / "data/vsr").exists(), reason="../shared has no data/vsr"),
]

PLAIN = "{upper}."
FRAMES = (
    "In the photo, {lower} while a man watches.",
    "{upper}, and a woman in a red coat is talking to a child.",
    "It looks like {lower}, but nobody in the room has noticed it yet.",
)


def statements():
    """Statement, last word of the subject, predicate, last word of the object."""
    lines = (SHARED / "data/vsr/random_dev.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, lines):
        relation = row["relation"]
        caption = row["caption"].removesuffix(".")
        found = re.fullmatch(rf"The (.+?) (?:is |are )?{re.escape(relation)} the (.+)", caption)
        named = wordings_at(relation.split(), 0)
        yield caption, found[1].split()[-1], named[-1].predicate if named else relation, found[2].split()[-1]


def share_read(claims_of, frame, every):
    """The share of statements that are read right inside a frame."""
    wanted = list(statements())[::every]
    captions = [frame.format(upper=one, lower=one[0].lower() + one[1:]) for one, *_ in wanted]
    right = 0
    for caption, (_, *triple), claims in zip(captions, wanted, claims_of(*captions), strict=True):
        read = [
            [
                caption[: claim.subject_end].split()[-1],
                claim.predicate,
                caption[: claim.objects[1]].split()[-1],
            ]
            for claim in claims
            if claim.kind == ClaimKind.RELATION and claim.objects and not claim.negated
        ]
        right += triple in read
    return right / len(wanted)


def test_statements_of_vsr(claims_of):
    assert share_read(claims_of, PLAIN, 5) >= 0.97


@pytest.mark.slow
def test_all_statements_of_vsr_also_in_longer_sentences(claims_of):
    alone = share_read(claims_of, PLAIN, 1)
    assert alone >= 0.97
    for frame in FRAMES:
        assert share_read(claims_of, frame, 1) >= alone - 0.02
