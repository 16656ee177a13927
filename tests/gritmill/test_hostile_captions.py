"""Unusual and hostile captions: each is grounded or rejected with a reason, and every text parses back."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gritmill
from pipeline.tables.detections import read_all
from tests import sample_pairs
from tests.transforms.phrases.extraction import with_phrases
from transforms.phrases.drop_lists import drop_heads
from transforms.phrases.parser import load_parser
from transforms.records import Box, Pair
from transforms.selection.judge import Kept, Policy, judge
from transforms.settings import PhraseSettings, SelectionSettings, TextSettings
from transforms.text import dialects
from transforms.text.grounded_caption import choose_spans

LONG = "a dog and a cat near the red house , "
TEN_THOUSAND = " , ".join(f"the red house{n} of a man{n} in" for n in range(1251))

CAPTIONS = {
    "empty": "",
    "blanks": " \t\r\n ",
    "odd blanks": "\u200b\u3000\u00a0\u2028\u0085",
    "emoji": "😀🎉👩‍👩‍👧‍👦🏳️‍🌈",
    "emoji in words": "a 🐕 dog 😀 near a cat🐈",
    "2,000 characters": (LONG * 60)[:2000],
    "10,000 tokens": TEN_THOUSAND,
    "one word of 5,000 letters": "a " + "o" * 5000 + " dog",
    "control characters": "a\x01 dog\x07 and\x1b[31m a red\x7f cat\x9c near the house",
    "line ends": "a dog\r\nand a cat\rnear\na house\n",
    "right to left marks": "a dog \u202enear a cat\u202c and \u2066a house\u2069",
    "byte order mark": "a \ufeffdog near a cat",
    "joined": "a do\u200dg near a c\u00adat",
    "combined": "a do\u0301\u0302\u0303g near the cafe\u0301",
    "no characters": "a dog \ufffe near \uffff a cat \U0010ffff",
    "Chinese": "一只狗在房子旁边",
    "Arabic": "كلب بالقرب من المنزل",
    "Russian": "собака возле дома",
    "Hindi": "घर के पास एक कुत्ता",
    "mathematical": "𝐚 𝐝𝐨𝐠 near 𝓪 𝓬𝓪𝓽",
    "phrase typed": "<phrase>a dog</phrase> near a cat",
    "patch typed": "a dog <patch_index_0001> near a cat",
    "all of it typed": "<grounding><phrase>a dog</phrase><object><patch_index_0000><patch_index_0001></object>",
    "less than": "a dog < a cat",
    "greater than": "a dog > a cat > the house",
    "entities": "a dog &amp; a cat &lt;b&gt;",
    "script": "<script>alert(1)</script> a dog",
    "special tokens": "a dog [SEP] a cat [CLS] the house [PAD] a ##dog",
    "stops": "St. Louis? a dog. . . . a cat...",
    "shell": "a dog $(rm -rf /) `ls` ; a cat && a house | %s {} \\n ${HOME}",
    "path": "../../../etc/passwd a dog",
    "quotes": 'a "dog" and a \'cat\', \\ \\" \u2018house\u2019',
    "JSON": '{"a dog": ["a cat"]}',
    "only punctuation": "... --- !!! ???",
    "only numbers": "1234567890 42",
}


REPEATED = {"ambiguous_phrases": "first"}
"""Phrases that a caption repeats keep their boxes."""


@pytest.fixture(
    scope="module",
    params=["tests.plugin_detectors:everywhere", pytest.param("", id="model", marks=pytest.mark.slow)],
)
def ran(tmp_path_factory, grounding_dino, request):
    """A run over all captions with the embedded parser."""
    folder = tmp_path_factory.mktemp("captions")
    (folder / "1.png").write_bytes(sample_pairs.drawn(1)[0].data)
    rows = [{"image": "1.png", "caption": caption, "key": name} for name, caption in CAPTIONS.items()]
    lines = [json.dumps(row) for row in rows]
    lines += ['{"image": "1.png", "key": "missing"}', '{"image": "1.png", "caption": null, "key": "null"}']
    lines += ['{"image": "1.png", "caption": 7, "key": "a number"}', '{"image": "1.png", "caption": [], "key": "list"}']
    lines += ['{"image": "1.png", "caption": "a dog \\ud83d near a cat", "key": "surrogate"}']
    lines += ['{"image": "1.png", "caption": "a dog\\u0000 near a cat", "key": "zero"}']
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    config = sample_pairs.settings("caption-parser", request.param or grounding_dino, selection=REPEATED)
    manifest = gritmill.run(config, inputs=folder / "pairs.jsonl", output=folder / "out")
    return folder / "out", manifest, {pair.key: pair for pair in read_all(str(folder / "out/detections"))}


def test_every_caption_is_in_the_ledger(ran):
    out, manifest, _ = ran
    ledger = manifest["ledger"]
    assert ledger["read"] == len(CAPTIONS) + 6
    assert ledger["failed"] == {"read": {"encoding": 2, "broken_row": 1}}
    assert set(ledger["rejected"]) == {"no_caption", "no_phrase", "kosmos2_markup"}
    assert not [finding for finding in gritmill.validate(out) if finding.text]


@pytest.mark.parametrize("name", CAPTIONS)
def test_a_caption_comes_through_as_it_is(ran, name):
    pair = ran[2][name]
    assert pair.error is None
    assert pair.caption == CAPTIONS[name]
    for phrase in pair.phrases:
        assert pair.text(phrase).strip() == pair.text(phrase) != ""


@pytest.mark.parametrize("name", CAPTIONS)
def test_a_written_text_parses_back_to_its_caption_and_spans(ran, name):
    out, _, pairs = ran
    sample = {sample.record["source_key"]: sample for sample in gritmill.read(out)}.get(name)
    if sample is None:
        assert not CAPTIONS[name].strip() or "<" in CAPTIONS[name] or not pairs[name].phrases
        return
    decoded = gritmill.decode(sample.grounded)
    assert decoded.caption == sample.caption == sample.record["caption"] == CAPTIONS[name]
    assert {(s.start, s.end) for s in decoded.spans} <= {(row[0], row[1]) for row in sample.record["ref_exps"]}
    assert decoded.spans


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "no_caption"),
        ("blanks", "no_caption"),
        ("phrase typed", "kosmos2_markup"),
        ("patch typed", "kosmos2_markup"),
    ],
)
def test_reasons(ran, name, reason):
    assert judge(ran[2][name], POLICY).reason == reason


def test_ten_thousand_tokens_are_asked_for_in_full(ran):
    assert len(load_parser("caption-parser").tokenizer(TEN_THOUSAND)) >= 10_000
    pair = ran[2]["10,000 tokens"]
    assert len(pair.phrases) > 2000
    assert {box.phrase for box in pair.boxes} == set(range(len(pair.phrases)))


POLICY = Policy(SelectionSettings(**REPEATED), 0.0, TextSettings(dialect=("kosmos2", "kosmos2:training")))

WORDS = st.sampled_from(
    ["a dog", "the red house", "cats", "near", "and", "in", "wearing", ",", "-", "|", "(", ")", "."]
)
CHARACTERS = st.characters(exclude_categories=["Cs"])


@pytest.fixture(scope="module")
def embedded():
    return load_parser("caption-parser")


@settings(max_examples=150)
@given(st.lists(WORDS | st.text(CHARACTERS, max_size=6), max_size=12), st.sampled_from(["", " ", "\n", "\u2009"]))
def test_any_caption_is_grounded_or_rejected_and_parses_back(embedded, words, between):
    caption = between.join(words)
    heads = drop_heads(PhraseSettings().drop_lists)
    (pair,) = with_phrases(embedded, [Pair("k", "s", 0, caption, width=64, height=48)], heads)
    boxes = tuple(Box(i, 0.1, 0.2, 0.6, 0.7, 0.5) for i in range(len(pair.phrases)))
    outcome = judge(replace(pair, boxes=boxes), POLICY)
    if not isinstance(outcome, Kept):
        assert outcome.reason in ("no_caption", "no_phrase", "kosmos2_markup")
        return
    for name, text in outcome.texts.items():
        decoded = dialects.find(name).decode(text)
        assert decoded.caption == caption
        wanted = choose_spans(outcome.groundings, "longest")
        assert [(s.start, s.end) for s in decoded.spans] == [(s.start, s.end) for s in wanted] != []
