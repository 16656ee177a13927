"""Statements about places, sizes and numbers: what boxes state, that words give nothing away, and both forms."""

import io
import json
import random
import re
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

import gritmill
from gritmill.evaluation.blind_accuracy import blind_accuracy
from gritmill.exports import find_format
from gritmill.exports.export import export
from gritmill.exports.format import ExportCounts, ExportFolder
from gritmill.exports.options import ExportOptions, RelationForm
from gritmill.exports.relations import as_v2
from gritmill.exports.relations import format as module
from gritmill.exports.relations.balance import DOUBTFUL, SURPLUS, TWICE, Entry, balance
from gritmill.exports.relations.facts import (
    CONVERSE,
    EXACTLY,
    LARGER,
    RULES,
    WITHIN,
    Fact,
    Side,
    compare,
    find_facts,
)
from gritmill.exports.relations.things import Thing
from gritmill.exports.relations.wording import mirrored, state
from gritmill.reading import Sample
from pipeline.faults import DataFault
from pipeline.pack.manifest import need_manifest

LEFT, RIGHT, TOP = (0.1, 0.4, 0.3, 0.6), (0.6, 0.42, 0.8, 0.62), (0.12, 0.05, 0.28, 0.2)


def record(caption, *rows, size=(200, 100), number=0, absent=()):
    """rows: words of a noun chunk, and its boxes. Its head is the last word. A numeral is an exact count."""
    found = {"noun_chunks": [], "ref_exps": [], "heads": [], "claims": []}
    for words, *boxes in rows:
        start = caption.index(words)
        end = start + len(words)
        for box in boxes:
            found["noun_chunks"].append([start, end, *box, 0.5])
            found["heads"].append([end - len(words.split()[-1]), end])
        if words.split()[0] in (numerals := {"one": 1, "two": 2, "three": 3, "twelve": 12}):
            claim = {"predicate": "exactly", "number": numerals[words.split()[0]], "negated": False}
            found["claims"].append({**claim, "verdict": "supported", "subject": [start, end]})
    found["ref_exps"] = found["noun_chunks"]
    origin = {"uid": f"{number:016x}", "source_key": "", "url": "http://x.invalid", "meta": "{}"}
    sizes = {"width": size[0], "height": size[1], "key": f"{number:09}"}
    return {"caption": caption, "absent": list(absent), **found, **origin, **sizes}


def stated(one, choice=0):
    """All statements that are true of a record."""
    return {s.text for fact in find_facts(one, ExportCounts()) for s in state(fact, choice) if s.label}


def test_what_two_boxes_state_is_said_in_both_orders_and_with_both_predicates():
    one = record("A red cup and a plate", ("A red cup", LEFT), ("a plate", RIGHT))
    assert stated(one) == {"The plate is right of the red cup."}
    assert stated(one, choice=1) == {"The red cup is left of the plate."}
    (fact,) = (fact for fact in find_facts(one, ExportCounts()) if fact.predicate == "left of")
    assert not fact.holds
    assert stated(record("his only cup, a plate", ("his only cup", LEFT), ("a plate", RIGHT)), choice=0) == {
        "The cup is left of the plate."
    }
    one = record("A cup on a table", ("A cup", (0.3, 0.3, 0.4, 0.4)), ("a table", (0.1, 0.2, 0.9, 0.9)))
    assert stated(one) == {
        "The cup is within the bounds of the table.",
        "The cup is smaller in the picture than the table.",
    }


@pytest.mark.parametrize(
    ("caption", "rows"),
    [
        ("a dog and the other dog", [("a dog", LEFT), ("the other dog", RIGHT)]),
        ("a dog beside dogs", [("a dog", LEFT), ("dogs", RIGHT)]),
        ("a dog, another dog, a cat", [("a dog", LEFT), ("a cat", RIGHT)]),  # the other dog has no box
        ("a dog and a cat", [("a dog", LEFT, TOP), ("a cat", RIGHT)]),
        ("the sky and a cat", [("the sky", LEFT), ("a cat", RIGHT)]),
        ("dogs and a cat", [("dogs", LEFT), ("a cat", RIGHT)]),  # a box around several
        ("a man and a person", [("a man", LEFT), ("a person", RIGHT)]),
        ("a dog and an animal", [("a dog", LEFT), ("an animal", RIGHT)]),
        ("a left cup and a plate", [("a left cup", LEFT), ("a plate", RIGHT)]),
        ("a right-handed batter, a plate", [("a right-handed batter", LEFT), ("a plate", RIGHT)]),  # not in the mirror
        ("a two person kayak, a plate", [("a two person kayak", LEFT), ("a plate", RIGHT)]),
        ("half a cup and a plate", [("half a cup", LEFT), ("a plate", RIGHT)]),
        ("a different cup and a plate", [("a different cup", LEFT), ("a plate", RIGHT)]),
        ("another cup and a plate", [("another cup", LEFT), ("a plate", RIGHT)]),
        ("Munich and a plate", [("Munich", LEFT), ("a plate", RIGHT)]),
        ("東京 and a plate", [("東京", LEFT), ("a plate", RIGHT)]),
        ("the scissors and a plate", [("the scissors", LEFT), ("a plate", RIGHT)]),
        ("a picture and a plate", [("a picture", LEFT), ("a plate", RIGHT)]),
        ("a plate, a 2-door car", [("a 2-door car", LEFT), ("a plate", RIGHT)]),
        ("a cake shaped like a train, a plate", [("a train", LEFT), ("a plate", RIGHT)]),  # it is the cake
        ('a sign "a dog", a plate', [("a dog", LEFT), ("a plate", RIGHT)]),
        ("a sofa and a couch", [("a sofa", LEFT), ("a couch", (0.12, 0.4, 0.32, 0.6))]),  # one thing with two names
        ("a cup and a plate", [("a cup", LEFT), ("a plate", (0.25, 0.9, 0.45, 1.0))]),  # lower rather than to the right
    ],
)
def test_nothing_is_stated_about_things_that_are_not_named_for_certain(caption, rows):
    assert not [fact for fact in find_facts(record(caption, *rows), ExportCounts()) if fact.predicate == "left of"]


def test_nothing_is_stated_about_two_names_of_one_thing():
    def facts(couch):
        return find_facts(record("a sofa and a couch", ("a sofa", LEFT), ("a couch", couch)), ExportCounts())

    assert not facts((0.1, 0.4, 0.25, 0.6))  # three quarters of the sofa, and within its bounds
    assert facts((0.1, 0.4, 0.19, 0.6))


def test_numbers_and_places_from_the_left_need_a_stated_number():
    dogs = (RIGHT, LEFT, (0.35, 0.1, 0.5, 0.2))
    facts = find_facts(record("three big dogs and a cup", ("three big dogs", *dogs), ("a cup", TOP)), ExportCounts())
    counts = {s.text: s.label for fact in facts if fact.kind == "count" for s in state(fact, 0)}
    assert counts == {
        "There are exactly two big dogs in the picture.": False,
        "There are exactly three big dogs in the picture.": True,
        "There are exactly four big dogs in the picture.": False,
    }
    names = {side.name for fact in facts if fact.kind == "ordinal" for side in (fact.subject, fact.object)}
    assert names == {"leftmost big dog", "second big dog from the left", "rightmost big dog", "cup"}
    within = [fact for fact in facts if fact.subject.span == fact.object.span]
    assert within
    assert {fact.predicate for fact in within} <= {"above", LARGER}  # the order is in the words
    some = find_facts(record("big dogs and a cup", ("big dogs", *dogs), ("a cup", TOP)), ExportCounts())
    assert not [fact for fact in some if fact.kind in ("count", "ordinal")]
    one = record("one pair of big dogs", ("one pair of big dogs", LEFT))
    assert {fact.subject.name for fact in find_facts(one, ExportCounts())} == {"big dog"}
    one = find_facts(record("one dog", ("one dog", LEFT)), ExportCounts())
    assert {s.text: s.label for fact in one for s in state(fact, 0)} == {
        "There is exactly one dog in the picture.": True,
        "There are exactly two dogs in the picture.": False,
    }


@pytest.mark.parametrize(
    ("caption", "stated"),
    [
        ("two dogs and a leash", True),
        ("two men and a woman", True),
        ("two dogs and a puppy", False),  # perhaps three
        ("two women and a bride", False),
        ("two birds and a seagull", False),
        ("two men and a skier", False),
        ("two slices of pizza", False),
        ("two boxes of donuts", False),
        ("two pairs of dogs", False),
        ("twelve dogs", False),  # no word for one more
    ],
)
def test_a_number_is_that_of_all_things_that_the_noun_names(caption, stated):
    words = re.split(" and | with ", caption)[0]
    boxes = [(n / 16, 0.1, (n + 1) / 16, 0.2 + n / 16) for n in range(12 if "twelve" in words else 2)]
    boxes[1] = (*boxes[1][:3], 0.9)
    facts = find_facts(record(caption, (words, *boxes)), ExportCounts())
    assert any(fact.kind == "count" for fact in facts) == stated
    assert any(fact.kind == "ordinal" for fact in facts) == stated


BOXES = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 20)] * 2).map(
    lambda b: (b[0] / 64, b[1] / 64, (b[0] + b[2]) / 64, (b[1] + b[3]) / 64)
)


@given(BOXES, BOXES, st.integers(0, 1))
def test_a_label_follows_from_the_boxes_and_the_mirror_reverses_left_and_right(a, b, choice):
    def flipped(box):
        return (1 - box[2], box[1], 1 - box[0], box[3])

    things = Thing("cup", (0, 1), a), Thing("plate", (2, 3), b)
    others = Thing("cup", (0, 1), flipped(a)), Thing("plate", (2, 3), flipped(b))
    here, there = ({f.wording: f for f in compare(*pair, 64, 64)} for pair in (things, others))
    assert here.keys() == there.keys()
    assert all(f.wording == here[f.wording].wording for f in compare(*reversed(things), 64, 64))
    for wording, fact in here.items():
        assert (fact.holds == there[wording].holds) == (fact.predicate != "left of")
        for statement in state(fact, choice):
            verdict = RULES[statement.predicate].decide(statement.measure(64, 64))
            assert verdict == ("supported" if statement.label else "contradicted") or fact.predicate == "above"
            assert (verdict == "supported") == statement.label
            if fact.predicate == "left of":
                mirror = mirrored(statement)
                assert mirror.text == statement.text
                assert mirror.label != statement.label
                assert (RULES[mirror.predicate].decide(mirror.measure(64, 64)) == "supported") == mirror.label


ENTRIES = st.lists(
    st.builds(
        Entry, st.sampled_from("abc"), st.sampled_from("012345"), st.booleans(), st.sampled_from([False] * 9 + [True])
    )
)


@given(ENTRIES, st.integers(0, 3))
def test_each_wording_is_as_often_true_as_false_and_what_is_left_out_is_counted(entries, seed):
    counts = ExportCounts()
    with balance(entries, seed, counts) as chosen:
        found = list(chosen)
    places = [place for place, _ in found]
    assert places == sorted(places)
    assert len(entries) == len(found) + sum(counts[name] for name in (TWICE, DOUBTFUL, SURPLUS))
    labels, matches = defaultdict(Counter), defaultdict(list)
    verdicts = defaultdict(set)
    for entry in entries:
        verdicts[entry.wording, entry.picture].add(entry.holds)
    alone = {(e.wording, e.picture) for e in entries if e.alone}
    for place, match in found:
        entry = entries[place]
        assert len(verdicts[entry.wording, entry.picture]) == 1
        labels[entry.wording][entry.holds] += 1
        matches[match].append(entry)
    if not alone:
        assert all(count[True] == count[False] for count in labels.values())
        assert all(sorted(e.holds for e in pair) == [False, True] for pair in matches.values())
        assert len({(e.wording, e.picture) for pair in matches.values() for e in pair}) == len(found)
        for wording in "abc":  # as many as there can be
            sure = Counter(next(iter(v)) for (w, _), v in verdicts.items() if w == wording and len(v) == 1)
            assert labels[wording][True] == min(sure[True], sure[False])


def pictures(number, seed=0):
    """Pictures in which a hat is mostly above a man, and the rest is by chance."""
    rng = random.Random(seed)
    nouns = ("cup", "plate", "dog", "cat")
    for at in range(number):
        low, high = (0.1, 0.5, 0.5, 0.95), (0.15, 0.05, 0.45, 0.4)
        man, hat = (low, high) if rng.random() < 0.9 else (high, low)
        sides = [(0.55, 0.3, 0.7, 0.5), (0.8, 0.3, 0.95, 0.5)]
        rng.shuffle(sides)
        one, other = rng.sample(nouns, 2)
        dogs = [(0.01 + 0.03 * n, 0.96, 0.03 + 0.03 * n, 1.0) for n in range(rng.choice((1, 2, 3)))]
        several = f"{('one bird', 'two birds', 'three birds')[len(dogs) - 1]}"
        rows = (("a man", man), ("a hat", hat), (f"a {one}", sides[0]), (f"a {other}", sides[1]), (several, *dogs))
        caption = f"a man with a hat, a {one}, a {other} and {several}"
        image = io.BytesIO()
        Image.new("RGB", (64, 64), (at % 256, at // 256, 0)).save(image, "JPEG")
        found = record(
            caption, *rows, size=(64, 64), number=at, absent=[f"a {noun}" for noun in nouns if noun not in caption]
        )
        yield Sample(f"{at:09}", image.getvalue(), found, caption, "", {})


def written(tmp_path, samples, **options):
    made, folder = find_format("relations", ExportOptions(**options)), ExportFolder(str(tmp_path))
    samples = list(samples)
    counts = made.shard(0, iter(samples[: len(samples) // 2]), folder)
    counts += made.shard(1, iter(samples[len(samples) // 2 :]), folder)
    counts.update(made.finish((0, 1), folder))
    return [json.loads(line) for line in (tmp_path / "relations.jsonl").read_text().splitlines()], counts


def labels_by(rows, *names):
    found = defaultdict(Counter)
    for row in rows:
        found[tuple(row[name] for name in names)][row["label"]] += 1
    return found


def test_rows_are_those_of_vsr_and_their_words_give_nothing_away(tmp_path):
    from datasets import load_dataset

    rows, counts = written(tmp_path, pictures(200), with_decoys=True)
    assert counts["statements"] == len(rows) > 200
    assert {row["kind"] for row in rows} == {"relation", "count", "existence"}  # a hat is always smaller
    for wording, labels in labels_by(rows, "subj", "relation", "obj").items():
        assert labels[0] == labels[1], wording
    # As VSR's own reader: src/data.py of cambridgeltl/visual-spatial-reasoning, commit b1cf884.
    images = {path.name for path in (tmp_path / "images").glob("*.jpg")}
    assert {row["image"] for row in rows} == images
    for row in rows:
        assert row["label"] in (0, 1)
        if row["kind"] == "relation":
            assert re.fullmatch(rf"The {row['subj']} is {row['relation']} the {row['obj']}\.", row["caption"])
    assert {row["basis"] for row in rows if row["kind"] == "existence" and not row["label"]} == {"not_found"}
    assert {tuple(json.loads(row["measured"])) for row in rows} >= {("dx", "spans", "slope"), ("boxes",)}
    loaded = load_dataset(
        "json", data_files=str(tmp_path / "relations.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded["caption"] == [row["caption"] for row in rows]
    assert counts[module.DECOYS] == 400  # two of four nouns are in each picture
    assert counts[module.BLIND] <= 550
    # The same facts, as they are, are answered without the picture.
    hats = [fact for sample in pictures(200) for fact in find_facts(sample.record, counts) if "hat" in fact.wording]
    natural = [(state(fact, 0)[0].text, fact.holds, str(n)) for n, fact in enumerate(hats) if fact.predicate == "above"]
    assert blind_accuracy(*zip(*natural, strict=True)) > 0.8


def test_what_words_give_away_is_refused_unless_it_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(module.BlindSample, "accuracy", lambda sample: 0.56)
    with pytest.raises(DataFault, match=r"56.0% .* more than 55%; export with --allow-blind"):
        written(tmp_path, pictures(100), images=False)
    assert not (tmp_path / "relations.jsonl").exists()
    assert written(tmp_path, pictures(100), images=False, allow_blind=True)[1][module.BLIND] == 560
    assert module.INDICATIVE in written(tmp_path / "few", pictures(8))[1]


def test_the_card_says_how_many_statements_are_answered_blind():
    (line,) = module.Relations(ExportOptions()).truth_lines(ExportCounts({module.BLIND: 507, "statements": 300}))
    assert line.startswith("blind accuracy: 50.7% of the statements")
    assert line.endswith("a coin answers 50%")
    (line,) = module.Relations(ExportOptions()).truth_lines(ExportCounts({module.INDICATIVE: 507, "statements": 9}))
    assert line.endswith("50%, only indicative: fewer than 200 statements")


def test_quads_say_the_same_of_a_picture_and_its_mirror(tmp_path, monkeypatch):
    folds = []
    monkeypatch.setattr(module.BlindSample, "add", lambda sample, text, label, picture: folds.append(picture))
    rows, _ = written(tmp_path, pictures(20), quads=True)
    keys = defaultdict(set)
    for row, fold in zip(rows, folds, strict=True):
        keys[row["key"]].add(fold)
    assert {len(found) for found in keys.values()} == {1}  # the mirror, too: no part of a picture is learnt from
    quads = defaultdict(list)
    for row in rows:
        if row["relation"] in ("left of", "right of"):
            quads[row["match"]].append(row)
    assert len(quads) >= 20
    for quad in quads.values():
        assert len(quad) == 4
        assert all(sum(labels.values()) == 2 == 2 * labels[1] for labels in labels_by(quad, "caption").values())
        assert all(labels[0] == labels[1] == 1 for labels in labels_by(quad, "image").values())
        assert {row["mirrored"] for row in quad} == {True, False}
        for row in quad:
            centre = {side: sum(row[f"{side}_boxes"][0][::2]) for side in ("subj", "obj")}
            assert ((centre["subj"] < centre["obj"]) == (row["relation"] == "left of")) == bool(row["label"])
    assert {row["image"] for row in rows} == {path.name for path in (tmp_path / "images").iterdir()}


def test_a_mirrored_image_has_left_and_right_exchanged(tmp_path):
    image = Image.new("RGB", (64, 32), "white")
    image.paste("red", (0, 0, 32, 32))
    target = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(target, "JPEG", icc_profile=profile)
    found = record("a cup and a plate", ("a cup", LEFT), ("a plate", RIGHT), size=(64, 32))
    written(tmp_path, [Sample("000000000", target.getvalue(), found, found["caption"], "", {})], quads=True)
    mirror = Image.open(tmp_path / "images/000000000-mirror.jpg")
    assert mirror.size == (64, 32)
    assert mirror.info["icc_profile"] == profile
    assert mirror.getpixel((8, 16))[1] > 200 > 50 > mirror.getpixel((56, 16))[1]


def relation_conversation(text):
    """The objects and relations of an answer, as OpenGVLab/all-seeing reads them (commit 3e00ac5,
    all-seeing-v2/scripts_asmv2/visualize_rec.py, `extract_objects` and `visualize`)."""
    objects, relations, last, value = defaultdict(list), defaultdict(list), None, ""
    for item in re.findall(r"<.*?>.*?<.*?>", text):
        clean = re.sub(r"<.*?>", "", item)
        if item.startswith("<box>"):
            (objects[value].extend if last == "<ref>" else relations[value].append)(json.loads(clean))
        else:
            last, value = "<ref>" if item.startswith("<ref>") else "<pred>", clean
    assert all(len(boxes) % 2 == 0 for boxes in relations.values())
    return objects, relations


@pytest.mark.parametrize("decoys", [False, True])
def test_conversations_are_those_of_all_seeing_v2_and_always_say_what_is_so(tmp_path, decoys):
    rows, _ = written(tmp_path, pictures(60), form=RelationForm.AS_V2, with_decoys=decoys)
    assert json.loads((tmp_path / "relations.json").read_text()) == rows != []
    kinds = Counter()
    for row in rows:
        human, model = (turn["value"] for turn in row["conversations"])
        assert human.startswith("<image>\n")
        assert model.startswith(("No. ", "Yes. ")[row["label"]])
        objects, relations = relation_conversation(model)
        boxes = [box for one in objects.values() for box in one]
        assert all(0 <= corner <= 999 and isinstance(corner, int) for box in boxes for corner in box)
        assert (tmp_path / row["image"]).exists()
        kinds[row["kind"]] += 1
        for predicate, (subject, object_) in relations.items():
            ((x1, _, x2, _),), ((left, _, right, _),) = subject, object_
            assert subject[0] in boxes
            assert object_[0] in boxes
            if predicate in ("left of", "right of"):
                assert (x1 + x2 < left + right) == (predicate == "left of")
        if row["kind"] == "count":
            assert sum(map(len, objects.values())) == len(row["subj_boxes"])
    assert set(kinds) == {"relation", "count", *(["existence"] if decoys else [])}


def test_boxes_of_conversations_are_those_of_the_square():
    assert as_v2._boxes(((0, 0, 1, 1),), 200, 100) == "<box>[[0, 250, 999, 749]]</box>"
    assert as_v2._boxes(((0.5, 0.5, 1, 1),), 100, 200) == "<box>[[500, 500, 749, 999]]</box>"


@pytest.mark.parametrize(
    ("name", "number", "answer"),
    [
        ("stone", 1, "There is exactly one <ref>stone</ref>"),
        ("phone box", 1, "There is exactly one <ref>phone box</ref>"),
        ("dog", 2, "There are exactly two <ref>dogs</ref>"),
    ],
)
def test_the_number_of_an_answer_is_no_part_of_the_noun(name, number, answer):
    fact = Fact("count", "boxes and caption", Side(name, (LEFT, RIGHT)[:number]), EXACTLY, Side("three"), False)
    text = as_v2.converse(state(fact, 0)[0], 100, 100)["conversations"][1]["value"]
    assert text.startswith(f"No. {answer}<box>[[")


def test_two_captions_of_a_picture_count_once_and_not_if_they_disagree(tmp_path):
    cup, plate = ("a cup", LEFT), ("a plate", RIGHT)
    shown = [(cup, plate, b"1"), (cup, plate, b"1"), (("a cup", RIGHT), ("a plate", LEFT), b"2"), (cup, plate, b"3")]
    shown.append((("a cup", RIGHT), ("a plate", LEFT), b"3"))
    samples = []
    for number, (one, other, jpeg) in enumerate(shown):
        found = record("a cup and a plate", one, other, number=number)
        samples.append(Sample(found["key"], jpeg, found, found["caption"], "", {}))
    rows, counts = written(tmp_path, samples)
    assert {row["key"] for row in rows} == {"000000000", "000000002"}
    assert {path.name for path in (tmp_path / "images").iterdir()} == {"000000000.jpg", "000000002.jpg"}
    assert counts[TWICE] == 5  # left of, and twice that one is not within the other
    assert counts[DOUBTFUL] == 2
    assert len(rows) == 4


def test_an_export_of_a_run(finished, single, tmp_path):
    figures = export(finished, "relations", tmp_path)["figures"]
    assert figures["statements"] == len((tmp_path / "relations.jsonl").read_text().splitlines())
    assert "five folds by picture" in (tmp_path / "README.md").read_text()
    with pytest.raises(gritmill.CallError, match=r"pack it again without selection\.boxes_per_phrase"):
        export(single, "relations", tmp_path / "single")
    limited = {"configuration": {"selection": {"boxes_per_pair": 20}}}
    manifest = need_manifest(finished).model_copy(update=limited)
    with pytest.raises(gritmill.CallError, match=r"pack it again without selection\.boxes_per_pair"):
        find_format("relations", ExportOptions()).check_run(manifest)
    with pytest.raises(gritmill.CallError, match="--with-decoys: the run was packed without decoys; leave it out"):
        export(finished, "relations", tmp_path / "none", ExportOptions(with_decoys=True))
    assert not (tmp_path / "none").exists()
    with pytest.raises(gritmill.CallError, match="--quads: writes mirrored images; leave out --no-images"):
        export(finished, "relations", tmp_path / "none", ExportOptions(images=False, quads=True))
    with pytest.raises(gritmill.CallError, match="--form: vqa: no such form; use one of vsr, as-v2"):
        export(finished, "relations", tmp_path / "none", ExportOptions(form="vqa"))
    # What is allowed changes no byte.
    assert export(finished, "relations", tmp_path, ExportOptions(allow_blind=True))["figures"] == figures


def test_an_export_without_a_statement_says_why(single, tmp_path, call, monkeypatch):
    """Of one picture, each wording is only true or only false."""
    monkeypatch.setattr(module.Relations, "check_run", lambda *_: None)
    monkeypatch.setattr(module, "find_facts", lambda *_: [])
    said = "no wording was both true and false; {} statements"
    written = "no statements were written, only files without statements and a data card"
    for flags, cure in (((), "`--quads` or more pictures may give"), (("--quads",), "more pictures may give")):
        folder = tmp_path / f"out{len(flags)}"
        status, screen, lines = call("export", single, "--to", "relations", "--output", folder, *flags)
        assert (status, lines) == (1, [f"gritmill: {written}: {said.format(cure).replace('`', '')}"])
        assert "0  statements" in screen
        assert (
            f"- blind accuracy: not known: no statements: {said.format(cure)}\n" in (folder / "README.md").read_text()
        )


def test_predicates_of_both_sides_have_rules():
    assert {*CONVERSE, *CONVERSE.values(), WITHIN} == set(RULES)
