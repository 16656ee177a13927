"""The contract of every detector: built-in ones, plug-ins, plug-ins of the first release, those of another package."""

import io
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Annotated

import pytest
from PIL import Image

import gritmill
from gritmill import Box, Family, FamilySettings, Head, Recorded
from pipeline import configuration, fingerprint
from pipeline.model_identity import identify
from pipeline.model_identity.cache import ModelCache
from pipeline.stages.boxes import Boxes
from pipeline.stages.runner import StageRunner
from tests import sample_pairs
from transforms.detectors import settings
from transforms.detectors.base import probe_request
from transforms.detectors.candidates import make_request
from transforms.detectors.check_answers import check_answers
from transforms.detectors.load import find_family, load_detector
from transforms.detectors.settings import DetectorSettings
from transforms.images import ImageLimits
from transforms.records import ImageRef, Pair, Phrase

# A family as another package would write it.


class StripeSettings(FamilySettings):
    stripes: int = 4
    workers: Annotated[int, Recorded()] = 1


@dataclass
class Stripes:
    """Finds every phrase in a set number of stripes. Ignores the content of the picture."""

    settings: StripeSettings

    def detect(self, requests):
        count, most = self.settings.stripes, self.settings.candidates
        stripes = [(i / count, 0.0, (i + 1) / count, 1.0, (count - i) / count) for i in range(count)]
        return [
            gritmill.Found(
                tuple(Box(n, *stripe) for n in range(len(request.phrases)) for stripe in stripes[:most]),
                cut=max(0, count - most) * len(request.phrases),
            )
            for request in requests
        ]


def without_article(phrase):
    return phrase.lower().removeprefix("the ").removeprefix("a ")


def refuse_bent(settings, config):
    if config.get("bent"):
        raise ValueError(f"detector.model: {settings.model} is bent")


STRIPES = Family(
    "stripes",
    StripeSettings,
    score=0.6,
    load=lambda settings, search_path: Stripes(settings),
    normalize=without_article,
    check=refuse_bent,
)


@pytest.fixture(autouse=True)
def installed(install):
    """Another package is installed, with a new model type, and one whose name is taken."""
    install("gritmill.detectors", *(f"{name} = {__name__}:STRIPES" for name in ("stripes", "grounding-dino")))


@pytest.fixture(scope="module")
def striped(tmp_path_factory):
    """A checkpoint of the family in the other package."""
    folder = tmp_path_factory.mktemp("striped")
    (folder / "config.json").write_text('{"model_type": "stripes"}')
    return str(folder)


# A plug-in for the first release, which had no heads, captions and digests.


@dataclass
class Early:
    settings: object

    def detect(self, requests):
        answers = []
        for request in requests:
            assert len(request.data) < request.max_pixels
            assert request.image.size == (request.width, request.height)
            scores = [self.settings.floor, 0.5, self.settings.canvas_step / 64]
            answers.append([Box(n, 0, 0, 0.5, 1, s) for n, _ in enumerate(request.phrases) for s in scores])
        return answers


# A plug-in that reads all fields of a request.


class Curious:
    """Scores depend on the heads and the caption."""

    def __init__(self, settings):
        pass

    def detect(self, requests):
        return [
            [
                Box(n, 0, 0, 1, 1, ((head.start + head.end + len(head.text)) / 64 + len(request.caption) / 128) % 1)
                for n, head in enumerate(request.heads)
            ]
            for request in requests
        ]


PLUGINS = ["tests.plugin_detectors:everywhere", "tests.plugin_detectors:scattered"]
PLUGINS += [f"{__name__}:Early", f"{__name__}:Curious"]
CHECKPOINTS = ["grounding_dino", "mm_grounding_dino", "scene-grounder", "striped"]


def picture(width, height):
    target = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(target, "PNG")
    return target.getvalue()


def pair(caption, *phrases, data, digest):
    """Returns a pair with phrases of at least two words. The last word is the head."""
    found = []
    for phrase in phrases:
        start = caption.index(phrase)
        end, head = start + len(phrase), start + phrase.rindex(" ") + 1
        found.append(Phrase(start, end, head, end, start, end))
    width, height = Image.open(io.BytesIO(data)).size
    return Pair("k", "s", 0, caption, ImageRef(digest=digest), data, width=width, height=height, phrases=tuple(found))


ONE, OTHER = picture(96, 64), picture(64, 96)
PAIRS = [
    pair("a red dog near a cat", "a red dog", "a cat", data=ONE, digest="1"),
    pair("a cat", "a cat", data=ONE, digest="1"),
    pair("the big house, a tree", "the big house", "a tree", data=OTHER, digest="2"),
    pair("a red dog", "a red dog", data=ONE, digest="3"),
]


@pytest.fixture(scope="module")
def loaded(request):
    """The settings of a detector that all tests share, and the detector, loaded once."""
    known = {}

    def detector(name, **changes):
        key = name, *changes.items()
        if key not in known:
            model = request.getfixturevalue(name) if name in (*CHECKPOINTS[:2], "striped") else name
            given = {"model": str(model), "device": "cpu", "threads": 1, "floor": 0.0, "short_side": 64} | changes
            chosen = DetectorSettings(**(given if name != "striped" else given | {"short_side": None}))
            known[key] = chosen, load_detector(chosen)
        return known[key]

    return detector


def requests_of(chosen):
    return [make_request(pair, ImageLimits(10_000), find_family(chosen).normalize) for pair in PAIRS]


def boxes(found):
    return [[(box.phrase, *box.corners, box.score) for box in one.boxes] for one in found]


@pytest.mark.parametrize("name", [*CHECKPOINTS, *PLUGINS])
def test_answers_are_in_order_and_in_range_whatever_the_neighbours_and_above_the_floor(name, loaded):
    chosen, detector = loaded(name)
    requests = requests_of(chosen)
    together = check_answers(detector.detect(requests), requests, 0.0)
    for one, request in zip(together, requests, strict=True):
        assert not one.error
        assert {box.phrase for box in one.boxes} == set(range(len(request.phrases)))
    (probed,) = check_answers(detector.detect([probe_request()]), [probe_request()], 0.0)
    assert probed.boxes
    apart = [check_answers(detector.detect([request]), [request], 0.0)[0] for request in reversed(requests)]
    for one, other in zip(boxes(together), boxes(reversed(apart)), strict=True):
        for row, same in zip(one, other, strict=True):
            assert row == pytest.approx(same, abs=1e-4)
    scores = sorted(box.score for one in together for box in one.boxes)
    floor = scores[len(scores) // 2]
    kept = check_answers(detector.detect(requests), requests, floor)
    assert sorted(box.score for one in kept for box in one.boxes) == [score for score in scores if score >= floor]


@pytest.mark.parametrize("name", ["grounding_dino", "striped", *PLUGINS[:1]])
def test_a_picture_that_is_cut_is_the_fault_of_its_request_alone(name, loaded):
    chosen, detector = loaded(name)
    first, *others = requests_of(chosen)
    cut = replace(first, data=first.data[:-30])
    requests = [first, cut, *others]
    found = check_answers(detector.detect(requests), requests, 0.0)
    assert [one.error and (one.error.stage, one.error.reason) for one in found] == [
        None,
        ("image", "truncated"),
        *[None] * 3,
    ]


@pytest.mark.parametrize("name", ["grounding_dino", "striped"])
def test_candidates_beyond_the_cap_are_counted(name, loaded):
    _, detector = loaded(name)
    chosen, capped = loaded(name, candidates=2)
    request = requests_of(chosen)[0]
    (every,), (few,) = detector.detect([request]), capped.detect([request])
    assert [box.phrase for box in few.boxes] == [0, 0, 1, 1]
    assert few.cut == len(every.boxes) + every.cut - 4


def test_a_request_says_heads_caption_and_picture():
    chosen = DetectorSettings(model=PLUGINS[-1])
    first, second, third, _ = requests_of(chosen)
    assert first.phrases == ("a red dog", "a cat")
    assert first.heads == (Head("dog", 6, 9), Head("cat", 2, 5))
    assert (first.caption, third.caption) == ("a red dog near a cat", "the big house, a tree")
    assert first.image_digest == second.image_digest != third.image_digest
    done = StageRunner(Boxes(chosen, ImageLimits(10_000))).process(PAIRS)
    assert [box.score for box in done[0].boxes] == [18 / 64 + 20 / 128, 10 / 64 + 20 / 128]


# A family of another package.


def test_a_family_of_another_package_says_which_phrases_are_one(striped):
    chosen = DetectorSettings(model=striped, stripes=1)
    twice = pair("a cat, the cat", "a cat", "the cat", data=ONE, digest="")
    (done,) = StageRunner(Boxes(chosen, ImageLimits(10_000))).process([twice])
    assert [(box.phrase, box.corners) for box in done.boxes] == [(0, (0, 0, 1, 1)), (1, (0, 0, 1, 1))]
    assert make_request(twice, ImageLimits(1), find_family(chosen).normalize).phrases == ("a cat",)


def test_a_built_in_family_goes_before_one_of_another_package(grounding_dino):
    assert find_family(DetectorSettings(model=str(grounding_dino))).name == "Grounding DINO"


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (
            "striped",
            {"canvas_step": 64},
            "detector.canvas_step: stripes has no such key; its keys are batch, candidates,",
        ),
        ("striped", {"stripes": "many"}, "detector.stripes: 'many': must be a whole number"),
        ("grounding_dino", {"stripes": 4}, "detector.stripes: Grounding DINO has no such key; its keys are batch,"),
        (PLUGINS[0], {"stripes": 4}, "detector.stripes: a factory has no such key; its keys are batch,"),
        ("bent", {}, r"detector.model: .*bent is bent"),
        ("bert", {}, r"detector.model: .*bert is a bert; it must be one of .*, mm-grounding-dino, stripes$"),
    ],
)
def test_a_key_or_checkpoint_that_a_family_does_not_take_is_refused_before_anything_starts(
    model, changes, message, request, tmp_path
):
    if model in CHECKPOINTS:
        model = str(request.getfixturevalue(model))
    if model in ("bent", "bert"):
        (tmp_path / model).mkdir()
        config = {"model_type": "stripes", "bent": True} if model == "bent" else {"model_type": "bert"}
        (tmp_path / model / "config.json").write_text(json.dumps(config))
        model = str(tmp_path / model)
    with pytest.raises(gritmill.CallError, match=f"^{message}"):
        identify._detector_identity(DetectorSettings(model=model, **changes), ModelCache())


def test_a_fingerprint_covers_the_keys_that_the_family_takes(striped):
    def fingerprint_of(**keys):
        configured = configuration.validate({"detector": {"model": striped, **keys}})
        identities = {"phrases": "folder:1", "detector": "folder:2"}
        return fingerprint.ground_fingerprint(configured, identities, None, STRIPES)

    assert fingerprint_of(stripes=4, workers=2) == fingerprint_of()
    assert len({fingerprint_of(**keys) for keys in ({}, {"stripes": 3}, {"floor": 0.5}, {"precision": "float16"})}) == 4
    covered = STRIPES.take(DetectorSettings(model=striped)).fingerprint_values()
    assert sorted(covered) == ["candidates", "floor", "model", "precision", "revision", "stripes"]


def test_a_run_with_a_family_of_another_package(striped, tmp_path, monkeypatch):
    def configured(**keys):
        config = sample_pairs.settings("caption-parser", striped, selection={"score": None})
        return {**config, "detector": config["detector"] | {"stripes": 2} | keys}

    inputs, output = sample_pairs.as_tars(sample_pairs.drawn(3), tmp_path / "in"), tmp_path / "out"
    gritmill.run(configured(workers=3), inputs=inputs, output=output)
    plan = json.loads((output / "detections/plan.json").read_text())
    assert (plan["threshold"]["score"], plan["threshold"]["measured"]) == (0.6, False)
    kept = plan["configuration"]["detector"]
    assert (kept["stripes"], kept["workers"]) == (2, 3)
    assert {tuple(sample.record["noun_chunks"][0][2:]) for sample in gritmill.read(output)} == {(0, 0, 0.5, 1, 1)}
    gritmill.ground(configured(workers=1), inputs=inputs, output=output)
    with pytest.raises(gritmill.CallError, match=r"\(detector\.stripes changed\)"):
        gritmill.ground(configured(stripes=3), inputs=inputs, output=output)
    with pytest.raises(gritmill.CallError, match=r"^configuration: detector\.stripe: no such key$"):
        gritmill.ground(configured(stripe=3), inputs=inputs, output=output)
    assert gritmill.pack(configured(workers=2), output=output)
    with pytest.raises(gritmill.CallError, match=r"^detector\.stripes: .* was made with 2; run gritmill ground"):
        gritmill.pack(configured(stripes=3), output=output)
    monkeypatch.setattr(settings, "entry_points", lambda group: [])  # pack needs neither a detector nor its package
    manifest = gritmill.pack({"selection": {"boxes_per_pair": 1}}, output=output, fresh=True)
    assert manifest["configuration"]["detector"]["stripes"] == 2


def test_to_know_the_families_takes_no_model():
    code = (
        "import sys; from transforms.detectors.load import DetectorSettings, find_family\n"
        "find_family(DetectorSettings(model='scene-grounder')); print({'torch', 'transformers'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
