"""The loss and the training loop of the scene-grounder, and the figures for a trained model."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from tests.training.scene_fakes import FONT, generator, thing, without_font
from training.scene_grounder import blocks, ship, train
from training.scene_grounder.attention import use_levelwise
from training.scene_grounder.batches import TOKENS, Batch, Batches, Share, Target, phrases, target
from training.scene_grounder.blocks import RESIZE, StoredScene, make_blocks, read_block
from training.scene_grounder.evaluate import PhraseResult, figures, threshold_for
from training.scene_grounder.hints import Hints, _under
from training.scene_grounder.lexicon import lexicon
from training.scene_grounder.loss import Predicted, _nearest, focal, giou, match, predictions, total_loss
from training.scene_grounder.model import WIDTH, make_model, make_tokenizer
from training.scene_grounder.phrases import GeneratedPhrase
from training.scene_grounder.scenes import Kind
from transforms.detectors.grounding_dino.prompts import build_prompts
from transforms.records import Box

BOX = [0.5, 0.5, 0.2, 0.4]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (BOX, 1.0),
        ([0.6, 0.5, 0.2, 0.4], 1 / 3),  # shifted by half of its width: the hull is the union
        ([0.8, 0.5, 0.2, 0.4], -0.2),  # a gap of half a width: hull 0.2, union 0.16
    ],
)
def test_giou(other, expected):
    assert giou(torch.tensor(BOX), torch.tensor(other)).item() == pytest.approx(expected, abs=1e-5)


def test_focal_loss():
    logits, truth = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])
    expected = [0.25 * 0.25 * np.log(2), 0.75 * 0.25 * np.log(2)]
    assert focal(logits, truth).tolist() == pytest.approx(expected)


def _batch(targets, tokens=6):
    ids = torch.ones(len(targets), tokens, dtype=torch.long)
    return Batch(torch.zeros(len(targets), 3, 32, 32), ids, ids, targets)


def _said(boxes, named, tokens=6):
    some, none = torch.tensor(boxes).reshape(-1, 4), torch.zeros(0, 3, dtype=torch.long)
    return Target(some, torch.tensor(named).float().reshape(-1, tokens), none, none, none, some, none)


def _perfect(targets, copies=1, tokens=6):
    """Returns perfect predictions, `copies` queries per box, in reverse order, so that matching is needed."""
    queries = 2 * copies + 2
    logits = torch.full((len(targets), queries, tokens), -20.0)
    boxes = torch.full((len(targets), queries, 4), 0.9)
    for member, one in enumerate(targets):
        for number in range(copies * len(one.boxes)):
            box = number // copies
            logits[member, queries - 1 - number] = torch.where(one.named[box] > 0, 20.0, -20.0)
            boxes[member, queries - 1 - number] = one.boxes[box]
    return Predicted(logits, boxes)


def test_every_member_of_a_batch_has_its_own_targets():
    """The stock loss shifts the targets from the third member on: its loss of perfect predictions is not 0."""
    targets = [
        _said([BOX, [0.2, 0.2, 0.1, 0.1]], [[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]),
        _said([BOX], [[0, 0, 0, 0, 1, 1]]),
        _said([[0.3, 0.6, 0.1, 0.1]], [[0, 1, 1, 0, 0, 0]]),
        _said([], []),
    ]
    layer, encoder, batch = _perfect(targets), _perfect(targets, copies=5), _batch(targets)
    assert sum(total_loss([layer], encoder, batch, [match(layer, batch)])) == pytest.approx(0, abs=0.01)
    wrong = Predicted(layer.logits.roll(1, dims=0), layer.boxes)
    assert sum(total_loss([wrong], encoder, batch, [match(wrong, batch)])) > 1


def test_the_levelwise_attention_is_the_stock_one():
    model = make_model(1).eval()
    ids = torch.tensor([[101, *make_tokenizer()("a red car", add_special_tokens=False)["input_ids"], 1012, 102]])
    inputs = {"pixel_values": torch.randn(1, 3, 160, 224), "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        stock = model(**inputs)
        use_levelwise(model)
        ours = model(**inputs)
    assert torch.allclose(stock.pred_boxes, ours.pred_boxes, atol=1e-5)
    assert torch.allclose(stock.logits[..., :6], ours.logits[..., :6], atol=1e-4)


def test_the_layers_answers_are_those_of_the_class():
    model = make_model(1).eval()
    ids = torch.tensor([[101, 300, 1012, 102]])
    with torch.no_grad():
        output = model(pixel_values=torch.randn(1, 3, 96, 96), input_ids=ids, attention_mask=torch.ones_like(ids))
        layers, encoder = predictions(model, output, torch.ones_like(ids))
    assert torch.allclose(layers[-1].logits, output.logits[..., :4])
    assert torch.allclose(layers[-1].boxes, output.pred_boxes)
    assert encoder.logits.shape[2] == 4
    assert -5 < layers[-1].logits[..., 1].mean() < -1  # most tokens and queries do not match


def test_a_location_that_suits_two_boxes_learns_the_one_that_it_suits_best():
    near, far = [0.5, 0.5, 0.2, 0.2], [0.52, 0.5, 0.2, 0.2]
    one = _said([near, far], [[1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]])
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.53, 0.5, 0.2, 0.2], [0.9, 0.9, 0.1, 0.1]]])
    encoder = Predicted(torch.zeros(1, 3, 6), boxes)
    queries, chosen = _nearest(encoder, 0, one)
    assert queries.tolist() == [0, 1, 2]  # fewer locations than the five that each box may take
    assert chosen.tolist()[:2] == [0, 1]
    none, nothing = _nearest(encoder, 0, _said([], []))
    assert len(none) == len(nothing) == 0


THINGS = (thing("dog", box=(0.1, 0.2, 0.3, 0.6)), thing("car", "red", box=(0.5, 0.5, 1.0, 0.75)))


def test_the_reference_that_the_second_layer_gets_is_what_the_first_one_says():
    """The class refines with the input of the last norm, not its output: both must have the same scale."""
    model = make_model(1).eval()
    torch.nn.init.xavier_uniform_(model.bbox_embed[0].layers[2].weight)
    ids = torch.tensor([[101, 300, 1012, 102]])
    with torch.no_grad():
        output = model(pixel_values=torch.randn(1, 3, 96, 96), input_ids=ids, attention_mask=torch.ones_like(ids))
        layers, _ = predictions(model, output, torch.ones_like(ids))
    given, generated = output.intermediate_reference_points[:, 0], layers[0].boxes
    start = output.init_reference_points
    assert (given - generated).abs().mean() < 0.3 * (generated - start).abs().mean()


def test_a_target_says_the_tokens_of_every_phrase_that_means_the_thing():
    generated = [
        GeneratedPhrase("a dog", Kind("dog"), (0,)),
        GeneratedPhrase("a cat", Kind("cat")),
        GeneratedPhrase("the puppy", Kind("dog"), (0,)),
        GeneratedPhrase("a red car", Kind("car", "red"), (1,)),
    ]
    prompt = build_prompts(make_tokenizer(), [one.text for one in generated], TOKENS).prompts[0]
    stored = StoredScene(np.zeros((160, 160, 3), np.uint8), THINGS)
    one = target(stored, generated, prompt.spans, mirrored=False)
    assert one.boxes[0].tolist() == pytest.approx([0.2, 0.4, 0.2, 0.4])
    named = [make_tokenizer().decode([prompt.ids[i] for i in row.nonzero()[:, 0]]) for row in one.named]
    assert named == ["a dog the puppy", "a red car"]
    nouns = list(lexicon().nouns)
    assert [[nouns[kind[0]], kind[1:]] for kind in one.says.tolist()] == [
        ["dog", [-1, -1]],
        ["cat", [-1, -1]],
        ["dog", [-1, -1]],
        ["car", [0, -1]],
    ]
    mirrored = target(stored, generated, prompt.spans, mirrored=True)
    assert mirrored.boxes[:, 0].tolist() == pytest.approx([0.8, 0.25])


def test_hints_say_what_lies_under_each_location():
    stored = StoredScene(np.zeros((160, 160, 3), np.uint8), THINGS)
    generated = [GeneratedPhrase("a dog", Kind("dog"), (0,))]
    prompt = build_prompts(make_tokenizer(), ["a dog"], TOKENS).prompts[0]
    under = _under(target(stored, generated, prompt.spans, mirrored=False), [(10, 10), (5, 5)])
    assert under.shape == (125, 3)
    dog, car, red = list(lexicon().nouns).index("dog"), list(lexicon().nouns).index("car"), 0
    assert under[41].tolist() == [dog, -1, 1]  # row 4, column 1 of 10: within the dog's box
    assert under[57].tolist() == [car, red, 1]
    assert under[9].tolist() == [-2, -1, -1]  # nothing
    assert under[21].tolist() == [-1, -1, -1]  # at the dog's edge: left out


def test_the_hints_are_learnt_from_features_that_can_be_told_apart():
    stored = StoredScene(np.zeros((160, 160, 3), np.uint8), THINGS)
    generated = [GeneratedPhrase("a dog", Kind("dog"), (0,)), GeneratedPhrase("a red car", Kind("car", "red"), (1,))]
    prompt = build_prompts(make_tokenizer(), [one.text for one in generated], TOKENS).prompts[0]
    one = target(stored, generated, prompt.spans, mirrored=False)
    batch = Batch(torch.zeros(1, 3, 160, 160), torch.tensor([prompt.ids]), torch.ones(1, len(prompt.ids)), [one])
    torch.manual_seed(0)
    hints = Hints()
    picture, text, queries = (torch.nn.Parameter(torch.randn(1, n, WIDTH)) for n in (525, len(prompt.ids), 3))
    output = SimpleNamespace(
        encoder_last_hidden_state_vision=picture,
        encoder_last_hidden_state_text=text,
        intermediate_hidden_states=queries[:, None],
        init_reference_points=torch.tensor([[[0.2, 0.4, 0.1, 0.1], [0.95, 0.05, 0.1, 0.1], [0.7, 0.6, 0.1, 0.1]]]),
    )
    pairs = [(torch.tensor([1, 2]), torch.tensor([0, 1]))]  # query 1 is elsewhere: it is ignored
    optimizer = torch.optim.Adam([*hints.parameters(), picture, text, queries], lr=0.05)
    losses = []
    for _ in range(60):
        loss = hints.loss(output, pairs, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    assert queries.grad[0, 1].abs().sum() == 0 < queries.grad[0, 2].abs().sum()


def test_a_training_prompt_has_present_and_absent_phrases_and_none_twice():
    stored = StoredScene(np.zeros((160, 160, 3), np.uint8), THINGS)
    generated = [phrases(stored, generator(seed)) for seed in range(50)]
    assert all(len({one.text for one in some}) == len(some) for some in generated)
    assert all(any(one.things for one in some) for some in generated)
    assert sum(not one.things for some in generated for one in some) > 50


@pytest.fixture
def job(monkeypatch, tmp_path):
    without_font(monkeypatch)
    monkeypatch.setattr(blocks, "BLOCK", 30)
    blocks._make_block(FONT, _made(tmp_path / "scenes"), 1, 0)
    return train.Job(tmp_path / "scenes", 1, tmp_path / "work", 0, train.Schedule(4, 2, every=2, workers=1))


def _made(folder):
    folder.mkdir()
    return folder


def test_blocks_hold_pictures_on_the_canvas_and_are_made_once(job):
    scenes = read_block(job.scenes, 0)
    assert len(scenes) == 30
    assert {scene.pixels.shape[:2] for scene in scenes} <= {(160, 160), (160, 224), (224, 160), (128, 224)}
    assert RESIZE.target_size(320, 180) == (224, 128)
    assert list(make_blocks("missing font", job.scenes, 1, 1, 1)) == [0]


def test_batches_are_of_one_canvas(job):
    shares = [Batches(job.scenes, 1, 4, make_tokenizer(), 0, Share(rank, 2)).from_step(0) for rank in range(2)]
    for _ in range(8):
        one, two = (next(share) for share in shares)
        assert len(one.pixels) == len(two.pixels) == len(one.targets) == 2
        assert one.pixels.shape == two.pixels.shape


def test_a_stream_goes_on_as_if_it_had_not_stopped(job):
    batches = Batches(job.scenes, 1, 2, make_tokenizer(), 0)
    whole = batches.from_step(0)
    expected = [next(whole) for _ in range(20)][17]  # of the second epoch
    assert torch.equal(next(batches.from_step(17)).pixels, expected.pixels)
    assert torch.equal(next(batches.from_step(17)).ids, expected.ids)


@pytest.mark.slow
def test_training_goes_on_where_it_stopped(job, monkeypatch):
    seen_steps = []
    with pytest.raises(KeyboardInterrupt):
        train.train(job, lambda step, *_: seen_steps.append(step) or _interrupt(step == 3))
    train.train(job, lambda step, *_: seen_steps.append(step))
    assert seen_steps == [1, 2, 3, 3, 4]
    train.train(job, lambda step, *_: seen_steps.append(step))
    assert seen_steps == [1, 2, 3, 3, 4]
    whole = replace(job, work=job.work / "whole")
    train.train(whole, lambda *_: None)
    for one, other in zip(train.averaged(job).parameters(), train.averaged(whole).parameters(), strict=True):
        assert torch.equal(one, other)
    other = train.Job(job.scenes, 1, job.work, 1, job.schedule)
    with pytest.raises(ValueError, match="of another training"):
        train.train(other, lambda *_: None)


@pytest.mark.slow
def test_the_average_is_what_is_shipped(job):
    """Equals a moving average of the weights that is computed here after each step."""
    expected = train.fresh(job.seed).model.model.level_embed.detach().clone()
    for steps in range(1, 5):
        one = replace(job, work=job.work / str(steps), schedule=replace(job.schedule, steps=steps, every=1))
        train.train(one, lambda *_: None)
        after = train.resume_state(one).model.model.level_embed.detach()
        expected = expected.lerp(after, 1 - min(0.998, steps / (9 + steps)))
    assert torch.allclose(train.averaged(one).model.level_embed, expected, atol=1e-9)
    assert not torch.allclose(after, expected, atol=1e-9)


@pytest.mark.slow
def test_two_workers_train_one_model(job):
    two = replace(job, work=job.work / "two", schedule=replace(job.schedule, batch=4, steps=2, workers=2))
    seen_steps = []
    train.train(two, lambda step, *_: seen_steps.append(step))
    assert seen_steps == [1, 2]
    assert train.load_checkpoint(two)["step"] == 2
    moved = zip(train.resume_state(two).model.parameters(), train.fresh(two.seed).model.parameters(), strict=True)
    assert sum(bool((now != before).any()) for now, before in moved) > 100


def test_gradients_are_the_mean_over_the_workers(monkeypatch):
    other = torch.tensor([3.0, 5.0, 7.0])
    monkeypatch.setattr(train.dist, "all_reduce", lambda flat: flat.add_(other))
    a, b = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([1.0, 1.0]), torch.tensor([1.0])
    train._average_gradients([a, b], 2)
    assert [a.grad.tolist(), b.grad.tolist()] == [[2, 3], [4]]


def test_the_schedule_in_figures():
    schedule = train.Schedule(steps=1000, rate=0.01)
    assert train.rate(0, schedule) == pytest.approx(0.01 / 200)
    assert train.rate(200, schedule) == pytest.approx(0.01)
    assert train.rate(600, schedule) == pytest.approx(0.01 * (0.01 + 0.99 / 2))
    assert train.rate(1000, schedule) == pytest.approx(0.0001)
    assert [train.detecting(step) for step in (0, 400, 600, 900)] == [0.02, 0.5, 1, 1]
    assert [train.naming(step, schedule) for step in (0, 600, 1000)] == [2, 2, 0]


def _interrupt(now):
    if now:
        raise KeyboardInterrupt


def test_what_is_saved_loads_with_the_stock_classes(tmp_path):
    ship.save_model(make_model(2), tmp_path)
    model = AutoModelForZeroShotObjectDetection.from_pretrained(tmp_path)
    processor = AutoProcessor.from_pretrained(tmp_path)
    assert model.dtype == torch.float32
    assert processor.tokenizer("a puppy.")["input_ids"][-2:] == [1012, 102]


def _phrase_result(truth, *boxes):
    corners = [Box(0, *box, 1.0) for box in truth]
    return PhraseResult("a dog", tuple(corners), tuple(Box(0, *box, score) for *box, score in boxes))


A, B, NOWHERE = (0.0, 0.0, 0.4, 0.4), (0.6, 0.6, 1.0, 1.0), (0.0, 0.8, 0.1, 1.0)


def test_figures_of_known_cases():
    results = [
        _phrase_result([A], (*A, 0.9)),
        _phrase_result([A], (*NOWHERE, 0.9), (*A, 0.8)),  # right, but not the best
        _phrase_result([A, B], (*A, 0.9), (*B, 0.3)),  # the second is below the threshold
        _phrase_result([A, B], (*A, 0.9), (*A, 0.8), (*B, 0.7)),  # a near duplicate between them
        _phrase_result([], (*A, 0.6)),
        _phrase_result([], (*A, 0.1)),
        _phrase_result([]),
    ]
    got = figures(results, 0.5)
    assert got.numbers == {"present": 4, "plural": 2, "absent": 3}
    assert got.recall_at_1 == 3 / 4
    assert got.plural == 1 / 2
    assert got.plural_ranked == 1.0
    assert got.absent == pytest.approx(1 / 3)
    assert got.present == 1.0


def test_the_threshold_lets_through_as_many_absent_phrases_as_allowed():
    results = [_phrase_result([], (*A, score / 100)) for score in range(1, 101)]
    threshold = threshold_for(results, 0.05)
    assert figures(results, threshold).absent == 0.05
    assert figures(results, threshold - 0.011).absent > 0.05


def test_the_sidecar_is_what_gritmill_reads(tmp_path):
    from pipeline.configuration import Configuration
    from pipeline.threshold import default_threshold
    from transforms.detectors.settings import DetectorSettings

    threshold = ship.write_threshold(
        [_phrase_result([A], (*A, 0.9)), _phrase_result([], (*A, 0.3))], tmp_path, "two phrases"
    )
    (tmp_path / "config.json").write_text('{"model_type": "grounding-dino"}')
    read = default_threshold(Configuration(detector=DetectorSettings(model=str(tmp_path))))
    assert (read.score, read.measured) == (threshold, True)
    assert "two phrases" in json.loads((tmp_path / "gritmill.json").read_text())["measured"]
