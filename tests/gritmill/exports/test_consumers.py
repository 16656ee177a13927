"""What consumers do with awkward pairs. Where a consumer is a repository, the reader here is written from its code."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from gritmill import CallError, plain_pickle
from gritmill.exports import find_format
from gritmill.exports.bert_tokens import estimate_tokens, token_counter
from gritmill.exports.format import ExportFolder
from gritmill.exports.odvg import _as_lowered
from gritmill.exports.options import ExportOptions, Level
from gritmill.reading import Sample
from transforms.grit_record import compose
from transforms.records import Box, Grounding, Pair, Phrase

LEFT, RIGHT, DOT = (0.05, 0.2, 0.4, 0.75), (0.6, 0.2, 0.95, 0.75), (0.5, 0.5, 0.502, 0.502)


def sample(number, caption, *rows, meta="{}"):
    """rows: words of a noun chunk, a box, and the words of the expression if they differ."""
    groundings = []
    for words, box, *rest in rows:
        start, end = caption.index(words), caption.index(words) + len(words)
        first = caption.index(rest[0]) if rest else start
        last = first + len(rest[0]) if rest else end
        phrase = Phrase(start, end, start + words.rfind(" ") + 1, end, first, last)
        groundings.append(Grounding(phrase, Box(0, *box, 0.9)))
    pair = Pair(str(number), "s", number, caption, meta=meta, width=200, height=100)
    return Sample(f"{number:09}", b"a picture", compose(f"{number:09}", pair, groundings), caption, "", {})


def exported(tmp_path, to, *samples, **options):
    """The counts of an export of these samples, as one shard."""
    made, folder = find_format(to, ExportOptions(**{"images": False, **options})), ExportFolder(str(tmp_path))
    counts = made.shard(0, iter(samples), folder)
    made.finish((0,), folder)
    return counts


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def mmdetection(path):
    """Boxes with the words that mmdetection aligns them with (commit 091ae03).

    mmdet/datasets/odvg.py:33-34, 68-103; mmdet/datasets/transforms/text_transformers.py:132-140.
    """
    for row in lines(path):
        text = row["grounding"]["caption"].lower().strip()
        text = text if text.endswith(".") else text + ". "
        words = {}
        for region in row["grounding"]["regions"]:
            x1, y1, x2, y2 = region["bbox"]
            assert min(x2, row["width"]) - max(x1, 0) >= 1
            assert min(y2, row["height"]) - max(y1, 0) >= 1
            ((start, end),) = region["tokens_positive"]
            words.setdefault(text[start:end], []).append(region["bbox"])
        yield words


def open_grounding_dino(path):
    """Boxes by phrase, and the text that is trained with.

    datasets/odvg.py:96-112 of longzw1997/Open-GroundingDino (commit d248268).
    """
    for row in lines(path):
        regions = row["grounding"]["regions"]
        boxes, phrases = [region["bbox"] for region in regions], [region["phrase"] for region in regions]
        together = list(zip(boxes, phrases, strict=True))
        random.Random(0).shuffle(together)
        boxes[:], phrases[:] = zip(*together, strict=True)  # fails if there is no region
        assert all(len(box) == 4 for box in boxes)
        yield {phrase: [box for box, one in together if one == phrase] for phrase in phrases}


TREE = ("a tree", RIGHT)


@pytest.mark.parametrize(
    ("caption", "rows", "wanted"),
    [
        ("  A red dog near a tree. ", [("A red dog", LEFT), TREE], ["a red dog", "a tree"]),
        ("\u2003\nA red dog near a tree\u00a0", [("A red dog", LEFT), TREE], ["a red dog", "a tree"]),
        ("İzmir: İİ and a tree", [("İzmir", LEFT), TREE], ["i̇zmir", "a tree"]),
        ("  İ: a tree", [TREE], ["a tree"]),
        ("STRAẞE ΟΔΟΣ near a tree", [("STRAẞE ΟΔΟΣ", LEFT), TREE], ["straße οδος", "a tree"]),
        ("a dog in a tree", [("a dog", LEFT, "a dog in a tree"), TREE], ["a dog in a tree", "a tree"]),
    ],
)
def test_odvg_offsets_are_right_after_mmdetection_has_changed_the_caption(tmp_path, caption, rows, wanted):
    counts = exported(tmp_path, "odvg", sample(0, caption, *rows))
    assert (counts["samples"], counts["boxes"]) == (1, len(rows))
    (found,) = mmdetection(tmp_path / "odvg.jsonl")
    assert list(found) == wanted
    (row,) = lines(tmp_path / "odvg.jsonl")
    for region in row["grounding"]["regions"]:  # for readers that leave the caption as it is
        ((start, end),) = region["tokens_positive"]
        assert row["grounding"]["caption"][start:end] == region["phrase"]


@given(
    st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" İΣß\u0085"), max_size=20) | st.text(" \taB")
)
def test_no_character_moves_when_a_caption_is_lowered_and_stripped(caption):
    text, offsets = _as_lowered(caption)
    assert len(text.lower().strip()) == len(text)
    assert len(offsets) == len(caption) + 1
    blank = len(caption) - len(caption.lstrip()), len(caption.rstrip())
    for number, char in enumerate(caption):
        if blank[0] <= number < blank[1]:
            assert text[offsets[number] : offsets[number + 1]].lower() == char.lower()


def test_odvg_has_no_line_without_a_region(tmp_path):
    counts = exported(
        tmp_path,
        "odvg",
        sample(0, "a red dog near a tree", ("a red dog", LEFT), TREE),
        sample(1, "a small dot", ("a small dot", DOT)),
        sample(2, "a dot near a tree", ("a dot", DOT), TREE),
    )
    assert list(open_grounding_dino(tmp_path / "odvg.jsonl")) == [
        {"a red dog": [[10, 20, 80, 75]], "a tree": [[120, 20, 190, 75]]},
        {"a tree": [[120, 20, 190, 75]]},
    ]
    assert counts == {
        "samples": 2,
        "boxes": 3,
        "captions without a region, left out": 1,
        "boxes of less than a pixel, left out": 2,
    }


def test_odvg_has_no_text_that_its_readers_would_cut(tmp_path):
    words = " ".join(["tiny"] * 250)
    counts = exported(
        tmp_path,
        "odvg",
        sample(0, f"a tree {words}", TREE),  # 1 + 1 + 250 words, a full stop, two special tokens: 255
        sample(1, f"a tree {words} tiny", TREE),  # 256
        sample(2, f"a tree {words} tiny tiny", TREE),  # 257
        # The caption is short enough, the phrases together are not.
        sample(3, f"a tree {words[:700]}", *(("a tree", RIGHT, f"a tree {words[:end]}") for end in (699, 694))),
    )
    assert [row["filename"][-5:] for row in lines(tmp_path / "odvg.jsonl")] == ["0.jpg", "1.jpg"]
    assert (counts["samples"], counts["captions with more than 256 tokens, left out"]) == (2, 2)


def test_tokens_are_counted_with_the_tokenizer_of_the_call(tmp_path):
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    named = str(tmp_path / "tokenizer.json")
    assert token_counter(named)("internationalization " * 300) == 300
    pair = sample(0, "a tree " + "internationalization " * 250, TREE)
    assert exported(tmp_path / "a", "odvg", pair, tokenizer=named)["samples"] == 1
    assert exported(tmp_path / "b", "odvg", pair)["captions with more than 256 tokens, left out"] == 1
    (tmp_path / "none.json").write_text("[]")
    for wrong in ("none.json", "missing.json"):
        with pytest.raises(CallError, match=rf"^--tokenizer: \S+{wrong}: .*; name the tokenizer.json of the text enc"):
            find_format("odvg", ExportOptions(tokenizer=str(tmp_path / wrong)))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a dog", 2),
        ("A photograph, 2 cafés.", 7),  # photo|graph, one accent less
        ("it's\tend-to-end", 8),
        ("犬と猫", 3),
        ("a\u200b dog\x00", 2),
    ],
)
def test_estimate_of_tokens(text, tokens):
    assert estimate_tokens(text) == tokens


@given(st.text("aB7 .,-_\t\n\x00\x1f\x7f'", max_size=30))
def test_estimate_of_a_text_in_ascii_is_that_of_any_text(text):
    accent = "\N{COMBINING ACUTE ACCENT}"  # which BERT removes
    assert estimate_tokens(text) == estimate_tokens(text + accent)


def test_the_snippet_of_the_odvg_card_passes_the_checks_of_mmdetection(tmp_path):
    """mmdet/datasets/odvg.py:16-28 of mmdetection (commit 091ae03): `return_classes` must be True."""
    snippet = find_format("odvg", ExportOptions()).description.split("```python")[1].split("# Open-Grounding")[0]
    given = eval(snippet.strip().partition("\n")[2], {"train_pipeline": []})
    assert (given["type"], given["ann_file"], given["return_classes"]) == ("ODVGDataset", "odvg.jsonl", True)
    assert given["label_map_file"] is None


def test_mdetr_aligns_a_box_with_the_words_that_name_it(tmp_path):
    pair = sample(0, "a dog in a field", ("a dog", LEFT, "a dog in a field"), ("a field", RIGHT))

    def spans(**options):
        exported(tmp_path, "mdetr", pair, **options)
        return [
            one["tokens_positive"] for one in json.loads((tmp_path / "mdetr_train.json").read_text())["annotations"]
        ]

    assert spans() == spans(level=Level.CHUNKS) == [[[0, 5]], [[9, 16]]]
    assert spans(level=Level.EXPRESSIONS) == [[[0, 16]], [[9, 16]]]


@pytest.mark.parametrize(
    "words", ['", "boxes": [{"x": 1}, {"y": 2}]}', "}, {", '\\", "boxes": [{', '{"image": ', "\\", "\x1f\té😀"]
)
def test_no_words_of_a_caption_divide_a_line_of_mdetr(tmp_path, words):
    rows = ("a dog", LEFT), ("a cat", RIGHT)
    meta = json.dumps({words: words})
    exported(tmp_path, "mdetr", *(sample(n, f"{words} a dog {words} a cat{words}", *rows, meta=meta) for n in range(2)))
    value, parts = json.loads((tmp_path / "mdetr_train.json").read_text()), lines(tmp_path / "parts/00000.jsonl")
    assert value["images"] == [part["image"] for part in parts]
    boxes = [box for part in parts for box in part["boxes"]]
    assert value["annotations"] == [{"id": number, **box} for number, box in enumerate(boxes, 1)]
    assert len(boxes) == 4


DOGS = sample(
    0,
    "a dog on the left, a dog on the right, a tree",
    *(("a dog", box, "a dog on the left") for box in (LEFT, RIGHT)),
    TREE,
)
SAME = sample(1, "a small cat next to a small cat", ("a small cat", LEFT), ("a small cat", RIGHT))
ONCE = sample(2, "two dogs and a dog house", ("two dogs", LEFT), ("two dogs", RIGHT), ("a dog house", RIGHT))
TWICE = "boxes of words that the caption has twice, left out"


@pytest.mark.parametrize(("to", "file"), [("odvg", "odvg.jsonl"), ("mdetr", "mdetr_train.json")])
def test_boxes_whose_place_in_the_caption_is_not_known_are_left_out(tmp_path, to, file):
    counts = exported(tmp_path, to, DOGS, SAME, ONCE)
    assert (counts[TWICE], counts["captions without a region, left out"], counts["samples"]) == (4, 1, 2)
    if to == "odvg":
        spans = [region["tokens_positive"] for row in lines(tmp_path / file) for region in row["grounding"]["regions"]]
    else:
        spans = [one["tokens_positive"] for one in json.loads((tmp_path / file).read_text())["annotations"]]
    assert sorted(map(str, spans)) == sorted(
        ["[[39, 45]]", "[[0, 8]]", *(["[[0, 8]]", "[[13, 24]]"] if to == "odvg" else ["[[0, 8], [13, 24]]"])]
    )


def test_words_that_begin_the_name_of_another_thing_are_no_second_place(tmp_path):
    train = sample(0, "A train at a train station", ("A train", LEFT))
    dog = sample(1, "a dog next to a dog house, a dog", ("a dog", LEFT))
    fire = sample(2, "a fire near a fire hydrant", ("a fire", LEFT))
    assert exported(tmp_path, "odvg", train, dog, fire)[TWICE] == 1
    regions = [row["grounding"]["regions"] for row in lines(tmp_path / "odvg.jsonl")]
    assert [region["phrase"] for row in regions for region in row] == ["A train", "a fire"]


def test_refcoco_has_no_expression_whose_thing_is_not_known(tmp_path):
    one_box = sample(3, DOGS.caption, ("a dog", LEFT, "a dog on the left"), TREE)
    assert exported(tmp_path, "refcoco", one_box)[TWICE] == 1
    (ref,) = plain_pickle.load((tmp_path / "refcoco" / "refs(gritmill).p").read_bytes())
    assert ref["sentences"][0]["raw"] == "a tree"


def test_instructions_do_not_ask_for_one_of_two_things_with_the_same_words(tmp_path):
    for seed in range(8):
        counts = exported(tmp_path / str(seed), "instructions", DOGS, SAME, dialect="loc1000", seed=seed)
        assert counts[TWICE] == 2  # "a dog on the left": which one is not known
        assert counts[f"{TWICE} of captioning only"] == 2  # "a small cat": comprehension has both
        assert counts["captioning, left out: no phrase is left"] == 1
        for row in lines(tmp_path / str(seed) / "instructions.jsonl"):
            said = " ".join(turn["value"] for turn in row["conversations"])
            assert "a dog on the left" not in said or row["kind"] == "captioning"
            if row["kind"] == "captioning":
                assert "<p>a tree</p>" in said
                assert "<p>a dog" not in said
            if row["kind"] == "comprehension" and "a small cat" in said:
                assert said.count("<box>") == 2  # these words name both


def test_instructions_count_boxes_as_left_out_that_no_question_has(tmp_path):
    counts = exported(tmp_path, "instructions", SAME, dialect="florence2")
    assert counts == {"samples": 1, "comprehension": 1}
    (row,) = lines(tmp_path / "instructions.jsonl")
    assert row["conversations"][1]["value"].count("a small cat") == 1
    assert row["conversations"][1]["value"].count("<loc_") == 8


def test_instructions_in_florence_2s_dialect_do_not_ask_for_what_its_reader_drops(tmp_path):
    both = sample(0, "a group near a tree", ("a group", LEFT), TREE)
    alone = sample(1, "a group", ("a group", LEFT))
    for seed in range(8):
        counts = exported(tmp_path / str(seed), "instructions", both, alone, dialect="florence2", seed=seed)
        assert counts == {
            "samples": 1,
            "comprehension": 1,
            "comprehension, left out: no phrase is left": 1,
            "captions without a question, left out": 1,
        }
        (row,) = lines(tmp_path / str(seed) / "instructions.jsonl")
        assert row["conversations"][1]["value"] == "a tree<loc_600><loc_200><loc_950><loc_750>"


def llava(folder):
    """The conversations that LLaVA 1.2.2 (commit c121f04) trains with: llava/train/train.py:308-330, 665, 698-701."""
    with open(folder / "instructions.json") as file:
        rows = json.load(file)
    for row in rows:
        first, *_ = turns = row["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"]
        assert first["value"].count("<image>") == 1
        yield row["image"], [turn["value"].replace("<image>", "").strip() for turn in turns]


def internvl(folder):
    """As internvl_chat/internvl/train/internvl_chat_finetune.py:335-338, 646 of OpenGVLab/InternVL, commit 2410d1d."""
    with open(folder / "instructions.jsonl") as file:
        rows = [json.loads(line) for line in file.readlines()]
    for row in rows:
        assert "<image>" in row["conversations"][0]["value"]
        yield row["image"], [turn["value"].replace("<image>", "").strip() for turn in row["conversations"]]


def test_instructions_are_one_list_for_llava_and_lines_for_internvl(tmp_path):
    counts = exported(tmp_path, "instructions", DOGS, SAME, ONCE)
    found = list(llava(tmp_path))
    assert found == list(internvl(tmp_path))
    assert len(found) == sum(counts[kind] for kind in ("comprehension", "generation", "captioning", "pointing")) > 6
    assert {image for image, _ in found} == {f"images/00000/00000000{number}.jpg" for number in range(3)}
    exported(tmp_path / "empty", "instructions")
    assert list(llava(tmp_path / "empty")) == list(internvl(tmp_path / "empty")) == []


@pytest.mark.parametrize(
    ("meta", "wanted"),
    [
        (
            {"clip_similarity_vitb32": 0.353271484375, "clip_similarity_vitl14": 0.2958984375},
            [0.353271484375, 0.2958984375],
        ),
        ({"clip_similarity_vitb32": "0.25", "clip_similarity_vitl14": ""}, [0.25, None]),
        ({"clip_similarity_vitb32": None, "clip_similarity_vitl14": "nan"}, [None, None]),
        ({"clip_similarity_vitb32": [0.1]}, [None, None]),
        ({"clip_similarity_vitb32": 10**400, "clip_similarity_vitl14": 1}, [None, 1.0]),
        ({"clip_similarity_vitb32": "9" * 5000, "clip_similarity_vitl14": True}, [None, None]),
        ({"licence": "clip_similarity_vitb32"}, [None, None]),
    ],
)
def test_grit_has_the_similarities_of_the_source(tmp_path, meta, wanted):
    import pyarrow.parquet as pq

    exported(tmp_path, "grit", sample(0, "a tree", TREE, meta=json.dumps(meta)))
    names = ["clip_similarity_vitb32", "clip_similarity_vitl14"]
    (row,) = lines(tmp_path / "grit_coyo.jsonl")
    assert [row[name] for name in names] == wanted
    table = pq.read_table(tmp_path / "grit-20m/coyo_0_snappy.parquet")
    assert [table[name].to_pylist() for name in names] == [[value] for value in wanted]
    assert {str(table.schema.field(name).type) for name in names} == {"double"}


def test_the_tsv_lists_files_below_its_own_folder(tmp_path):
    exported(tmp_path, "tsv", sample(0, "a tree", TREE))
    (source,) = json.loads((tmp_path / "json/train.json").read_text())
    assert source == {
        "source": ["coyo_filtered_tsvs_v1/00000.tsv"],
        "source_lang": "grit",
        "weight": 1.0,
        "name": "grit",
    }
    assert (tmp_path / "coyo_filtered_tsvs_v1_obj/00000.tsv").read_text().count("\t") == 5
