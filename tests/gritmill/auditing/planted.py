"""Clean grounded data, and faults to plant in it. Each fault says which checks must find it, and how often."""

import copy
import json
import math

import pyarrow as pa
import pyarrow.parquet as pq

NOUNS = ("dog", "cat", "cup", "tree", "horse", "chair", "bird", "lamp")


def clean(number):
    """A row of GRIT as published, without a fault."""
    first, second, third = (NOUNS[(number + step) % len(NOUNS)] for step in (0, 3, 5))
    caption = f"a {first} and a {second} beside a {third}"
    chunks = []
    for at, noun in enumerate((first, second, third)):
        start = caption.index(f"a {noun}")
        chunks.append([start, start + len(f"a {noun}"), 0.1 + 0.3 * at, 0.2, 0.3 + 0.3 * at, 0.6, 0.9 - 0.1 * at])
    return {
        "key": f"{number:09}",
        "id": number,
        "url": f"https://example.com/{number}.jpg",
        "caption": caption,
        "width": 640,
        "height": 480,
        "clip_similarity_vitb32": 0.3,
        "clip_similarity_vitl14": 0.25,
        "noun_chunks": chunks,
        "ref_exps": copy.deepcopy(chunks),
    }


def both(row, number, **values):
    """Changes values of a row of both lists. The names are those of the seven values."""
    names = ("start", "end", "x1", "y1", "x2", "y2", "score")
    for rows in (row["noun_chunks"], row["ref_exps"]):
        for name, value in values.items():
            rows[number][names.index(name)] = value


def also(row, chunk):
    for rows in (row["noun_chunks"], row["ref_exps"]):
        rows.append(list(chunk))


def _caption_gone(row):
    row.update(caption=" \n", noun_chunks=[], ref_exps=[])


def _without_boxes(row):
    row.update(noun_chunks=[], ref_exps=[])


def _one_expression_less(row):
    row["ref_exps"].pop()


def _eight_values(row):
    row["noun_chunks"][0].append(1.0)
    row["ref_exps"][0].append(1.0)


def _expression_of_six(row):
    row["ref_exps"][0].pop()


def _no_offsets(row):
    """Two of the rows have one box, and nothing says whether they are one phrase."""
    for rows in (row["noun_chunks"], row["ref_exps"]):
        rows[1][2:6] = rows[0][2:6]
        for one in rows:
            one[:2] = [math.nan, math.nan]


def _in_pixels(row):
    for number, (_, _, x1, y1, x2, y2, _) in enumerate(row["noun_chunks"]):
        both(row, number, x1=640 * x1, y1=480 * y1, x2=640 * x2, y2=480 * y2)


def _swapped(row):
    x1, x2 = row["noun_chunks"][0][2], row["noun_chunks"][0][4]
    both(row, 0, x1=x2, x2=x1)


def _without_area(row):
    both(row, 1, y2=row["noun_chunks"][1][3])


def _box_twice(row):
    also(row, [*row["noun_chunks"][0][:6], 0.4])


def _box_shared(row):
    both(row, 1, **dict(zip(("x1", "y1", "x2", "y2"), row["noun_chunks"][0][2:6], strict=True)))


def _group(row):
    start, end, *_ = row["noun_chunks"][0]
    also(row, [start, end, 0.1, 0.7, 0.2, 0.9, 0.5])
    also(row, [start, end, 0.3, 0.7, 0.4, 0.9, 0.5])
    also(row, [start, end, 0.1, 0.7, 0.4, 0.9, 0.5])


def _cut_word(row):
    both(row, 0, end=row["noun_chunks"][0][1] - 1)


def _narrow_expression(row):
    row["ref_exps"][0][1] -= 1


def _other_box(row):
    row["ref_exps"][2][6] = 0.123


def _words(caption, span):
    def plant(row):
        start = caption.index(span)
        row.update(caption=caption, noun_chunks=[[start, start + len(span), 0.1, 0.1, 0.4, 0.4, 0.5]])
        row["ref_exps"] = copy.deepcopy(row["noun_chunks"])

    return plant


FAULTS = {
    "empty_caption": (_caption_gone, {"empty_caption": 1, "no_boxes": 1}),
    "no_words": (lambda row: row.update(caption=" \n"), {"empty_caption": 1}),
    "no_boxes": (_without_boxes, {"no_boxes": 1}),
    "row_counts": (_one_expression_less, {"row_counts": 1}),
    "malformed_box": (_eight_values, {"malformed_box": 1}),
    "malformed_expression": (_expression_of_six, {"copies_differ": 1}),
    "not_finite": (lambda row: both(row, 0, x1=math.nan), {"not_finite": 1}),
    "infinite": (lambda row: both(row, 0, y2=math.inf), {"not_finite": 1}),
    "other_unit": (_in_pixels, {"other_unit": 3}),
    "swapped_corners": (_swapped, {"swapped_corners": 1}),
    "no_area": (_without_area, {"no_area": 1}),
    "outside": (lambda row: both(row, 0, x1=-0.05), {"outside": 1}),
    "far_outside": (lambda row: both(row, 2, y2=1.4), {"outside": 1}),
    "score_range": (lambda row: both(row, 0, score=87.5), {"score_range": 1}),
    "no_score": (lambda row: both(row, 0, score=math.nan), {"score_range": 1}),
    "copies_differ": (_other_box, {"copies_differ": 1}),
    "whole_image": (lambda row: both(row, 0, x1=0.0, y1=0.01, x2=1.0, y2=1.0), {"whole_image": 1}),
    "duplicate_box": (_box_twice, {"duplicate_box": 1}),
    "shared_box": (_box_shared, {"shared_box": 1}),
    "group_box": (_group, {"group_box": 1}),
    "malformed_span": (lambda row: both(row, 0, start=0.5), {"malformed_span": 1}),
    "offsets_are_no_numbers": (_no_offsets, {"malformed_span": 3}),
    "empty_span": (lambda row: both(row, 1, end=row["noun_chunks"][1][0]), {"empty_span": 1}),
    "blank_span": (lambda row: both(row, 0, start=1, end=2), {"empty_span": 1}),
    "outside_caption": (lambda row: both(row, 2, end=500), {"outside_caption": 1}),
    "before_caption": (lambda row: both(row, 0, start=-2), {"outside_caption": 1}),
    "cut_word": (_cut_word, {"cut_word": 1}),
    "not_contained": (_narrow_expression, {"not_contained": 1}),
    "measure_word": (_words("a large group of dogs in a field", "a large group"), {"measure_word": 1}),
    "couple": (_words("a couple of dogs", "a couple"), {"measure_word": 1}),
    "place_word": (_words("a dog on the left of a cat", "the left"), {"place_word": 1}),
    "photo": (_words("a photo of a dog", "a photo"), {"place_word": 1}),
    "abstract_word": (_words("a dog full of love", "love"), {"abstract_word": 1}),
    "pronoun": (_words("a dog near it", "it"), {"abstract_word": 1}),
}
"""A function that plants a fault in a row, and how often which check finds it then."""


def write_parquet(rows, path, group=7):
    kind = pa.list_(pa.list_(pa.float64()))
    table = pa.Table.from_pylist(rows)
    for name in ("noun_chunks", "ref_exps"):
        column = pa.array([row[name] for row in rows], kind)
        table = table.set_column(table.schema.names.index(name), name, column)
    pq.write_table(table, path, row_group_size=group)


def write_lines(rows, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_odvg(row):
    """The same row as a line of ODVG."""
    regions = [
        {
            "bbox": [x1 * row["width"], y1 * row["height"], x2 * row["width"], y2 * row["height"]],
            "phrase": row["caption"][int(start) : int(end)],
            "tokens_positive": [[int(start), int(end)]],
        }
        for start, end, x1, y1, x2, y2, _ in row["noun_chunks"]
    ]
    image = {"filename": f"{row['key']}.jpg", "width": row["width"], "height": row["height"]}
    return {**image, "grounding": {"caption": row["caption"], "regions": regions}}
