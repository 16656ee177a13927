import json

import pytest

from training.statement_labels import compare, true_label

CUP, DOGS = [[0.1, 0.1, 0.2, 0.2]], [[0.7, 0.5, 0.9, 0.7], [0.3, 0.5, 0.4, 0.6]]


def row(subject, relation, obj, **others):
    truth = [{"start": 0, "end": 3, "boxes": CUP}, {"start": 4, "end": 8, "boxes": DOGS}]
    spans = {f"{side}_span": [0, 3] if name == "cup" else [4, 8] for side, name in (("subj", subject), ("obj", obj))}
    fields = {"subj": subject, "relation": relation, "obj": obj, "meta": json.dumps({"truth": truth}), "key": "0"}
    return {"kind": "relation", "label": 1, "caption": "", **fields, **spans, **others}


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (row("cup", "left of", "leftmost dog"), True),
        (row("rightmost dog", "larger in the picture than", "leftmost dog"), True),
        (row("second dog from the left", "below", "cup"), True),
        (row("cup", "left of", "leftmost dog", mirrored=True), False),
        (row("cup", "left of", "dog"), None),
        (row("cup", "within the bounds of", "leftmost dog"), False),
        (row("dog", "exactly", "two", kind="count"), True),
        (row("dog", "exactly", "three", kind="count"), False),
    ],
)
def test_true_label(one, wanted):
    assert true_label(one) is wanted
    result = {True: "right", False: "wrong", None: "unknown"}[wanted]
    counts, wrong = compare([one])
    assert counts == {(one["kind"], result): 1}
    assert len(wrong) == (wanted is False)
