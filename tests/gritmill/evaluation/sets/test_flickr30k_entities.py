"""Flickr30k Entities in its published layout, in a folder of two pictures written by hand."""

import pytest

from gritmill.evaluation.sets.flickr30k_entities import TaggedPhrase, load, read_annotation, read_sentence
from pipeline.faults import CallError

SENTENCES = """[/EN#1/people A young child] is wearing [/EN#2/clothing blue goggles] in [/EN#0/notvisual it] .
[/EN#1/people The child] and [/EN#3/people/other the child] stand [/EN#4/scene outside] .
"""
XML = """<annotation>
  <filename>10.jpg</filename>
  <size><width>200</width><height>100</height><depth>3</depth></size>
  <object><name>1</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>101</xmax><ymax>51</ymax></bndbox></object>
  <object><name>1</name><name>3</name>
    <bndbox><xmin>101</xmin><ymin>51</ymin><xmax>200</xmax><ymax>100</ymax></bndbox></object>
  <object><name>4</name><scene>1</scene><nobndbox>0</nobndbox></object>
  <object><name>2</name><scene>0</scene><nobndbox>1</nobndbox></object>
</annotation>
"""


@pytest.fixture
def folder(tmp_path):
    for kind, text, ending in (("Sentences", SENTENCES, "txt"), ("Annotations", XML, "xml")):
        (tmp_path / kind).mkdir()
        for name in ("10", "11"):
            (tmp_path / kind / f"{name}.{ending}").write_text(text)
    (tmp_path / "val.txt").write_text("10\n11\n")
    return tmp_path


def test_a_sentence_and_its_characters():
    text, marked = read_sentence(SENTENCES.splitlines()[0])
    assert text == "A young child is wearing blue goggles in it ."
    assert marked == [
        TaggedPhrase("1", ("people",), 0, 13),
        TaggedPhrase("2", ("clothing",), 25, 37),
        TaggedPhrase("0", ("notvisual",), 41, 43),
    ]
    assert [text[one.start : one.end] for one in marked] == ["A young child", "blue goggles", "it"]


def test_brackets_that_are_no_marks_stay():
    assert read_sentence("a [ sign ] x] [/EN#9/other b]") == (
        "a [ sign ] x] b",
        [TaggedPhrase("9", ("other",), 14, 15)],
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[/EN#1/people a child", "has no closing bracket"),
        ("[/EN#1/people a [/EN#2/other b] c]", "inside"),
        ("[/EN#1/people ]", "is not \\[/EN#number/type words\\]"),
        ("[/EN#1 a child]", "is not \\[/EN#number/type words\\]"),
    ],
)
def test_marks_that_are_none(line, why):
    with pytest.raises(CallError, match=f"x.txt:3: .*{why}"):
        read_sentence(line, "x.txt:3")


def test_pixels_count_from_one(folder):
    about = read_annotation(str(folder / "Annotations" / "10.xml"))
    assert (about.width, about.height) == (200, 100)
    assert about.boxes == {"1": ((0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 0.995, 0.99)), "3": ((0.5, 0.5, 0.995, 0.99),)}


def test_captions_of_a_split_with_chains_types_and_boxes(folder):
    truth = load([str(folder)], None, "val")
    captions = list(truth.captions)
    assert truth.pictures == 2
    assert [caption.picture for caption in captions] == ["10", "10", "11", "11"]
    first, second = captions[:2]
    assert [len(phrase.boxes) for phrase in first.phrases] == [2, 0, 0]
    assert [phrase.queried for phrase in first.phrases] == [True, True, False]
    assert (first.width, first.height, first.pair.error.reason) == (200, 100, "missing_file")
    # If a text occurs twice, each has the boxes of its own chain. The evaluator of Kosmos-2 uses those of the first.
    assert [(p.text.lower(), len(p.boxes), p.kinds) for p in second.phrases] == [
        ("the child", 2, ("people",)),
        ("the child", 1, ("people", "other")),
        ("outside", 0, ("scene",)),
    ]


def test_pictures_are_looked_for_in_their_usual_folder_or_where_one_says(folder, tmp_path):
    (folder / "flickr30k-images").mkdir()
    usual = next(load([str(folder)], None, "val").captions)
    assert usual.pair.image.uri == str(folder / "flickr30k-images" / "10.jpg")
    assert next(load([str(folder)], str(tmp_path), "val").captions).pair.image.uri == str(tmp_path / "10.jpg")
    with pytest.raises(CallError, match="--images: nowhere: no such folder"):
        load([str(folder)], "nowhere", "val")


def test_limit_takes_whole_pictures(folder):
    assert [one.picture for one in load([str(folder)], None, "val").limited_to(1).captions] == ["10", "10"]


def test_faults_name_their_file(folder):
    with pytest.raises(CallError, match="--split: missing"):
        load([str(folder)], None, None)
    with pytest.raises(CallError, match=r"test.txt: no such file"):
        load([str(folder)], None, "test")
    (folder / "Annotations" / "10.xml").write_text(XML.replace("<xmax>101</xmax>", ""))
    with pytest.raises(CallError, match=r"10.xml: not an annotation .*no bndbox/xmax"):
        list(load([str(folder)], None, "val").captions)
    (folder / "Annotations" / "10.xml").unlink()
    with pytest.raises(CallError, match=r"10.xml: no such file"):
        list(load([str(folder)], None, "val").captions)
