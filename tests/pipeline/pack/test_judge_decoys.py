"""Decoys of a chunk on arrays are judged as those of one pair are."""

from hypothesis import given
from hypothesis import strategies as st

from gritmill.evaluation.without_truth import _with_decoys
from pipeline.pack.judge_decoys import judge_decoys
from pipeline.pack.select_rows import SelectedRows
from pipeline.pack.truth_sheet import AskedDecoys
from pipeline.tables.decoys import columns
from pipeline.tables.pair_rows import SCHEMA, to_row
from pipeline.tables.row_files import as_table, schema_of
from transforms.records import Box, Pair, Phrase
from transforms.selection.select_boxes import select
from transforms.settings import SelectionSettings

CAPTION = "a dog and a cat"
PHRASES = (Phrase(0, 5, 2, 5, 0, 5), Phrase(10, 15, 12, 15, 10, 15))
_GRID = [n / 8 for n in range(9)]


@st.composite
def boxes(draw):
    """Boxes on a grid, of two phrases: many of them overlap, and many scores are equal."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        x1, y1 = draw(st.sampled_from(_GRID[:-1])), draw(st.sampled_from(_GRID[:-1]))
        x2, y2 = (
            draw(st.sampled_from([x for x in _GRID if x > x1])),
            draw(st.sampled_from([y for y in _GRID if y > y1])),
        )
        found.append(Box(draw(st.integers(0, 1)), x1, y1, x2, y2, draw(st.sampled_from([0.125, 0.25, 0.5, 0.75]))))
    return tuple(found)


SETTINGS = st.builds(
    SelectionSettings,
    groups=st.sampled_from(["keep", "drop"]),
    ambiguous_phrases=st.sampled_from(["first", "drop"]),
    boxes_per_pair=st.sampled_from([None, 2]),
)


@given(
    st.lists(st.tuples(boxes(), st.none() | boxes()), min_size=1, max_size=4),
    SETTINGS,
    st.sampled_from([0.0, 0.25, 0.6]),
)
def test_a_chunk_is_judged_as_its_pairs(found, settings, threshold):
    pairs = [Pair(str(n), "s", n, CAPTION, phrases=PHRASES, boxes=own) for n, (own, _) in enumerate(found)]
    texts = [{"text": text, "head": text[2:]} for text in ("a red car", "a boat")]
    rows = [
        {"key": str(n), "index": n, "phrases": texts if of_decoys is not None else [], "boxes": []}
        for n, (_, of_decoys) in enumerate(found)
    ]
    for row, (_, of_decoys) in zip(rows, found, strict=True):
        row["boxes"] = [{name: getattr(box, name) for name in box.__slots__} for box in of_decoys or ()]
    selected = SelectedRows.from_table(as_table(list(map(to_row, pairs)), SCHEMA), settings, threshold)
    table = as_table(rows, schema_of(columns()))
    expected = []
    for pair, row in zip(pairs, table.to_pylist(), strict=True):
        kept = [one.box.phrase - 2 for one in select(_with_decoys(pair, row), settings, threshold)]
        owners = [owner for owner in kept if owner >= 0]
        absent = {0, 1} - {box["phrase"] for box in row["boxes"]} if row["phrases"] else ()
        names = tuple(texts[number]["text"] for number in sorted(absent))
        expected.append(AskedDecoys(len(row["phrases"]), len(set(owners)), len(owners), names))
    if settings.ambiguous_phrases == "first":  # decoys make no phrase of the caption ambiguous
        assert judge_decoys(table, selected.candidates, settings, threshold) == expected
    else:
        found_absent = [one.absent for one in judge_decoys(table, selected.candidates, settings, threshold)]
        assert found_absent == [one.absent for one in expected]
