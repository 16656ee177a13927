import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers.models.grounding_dino.modeling_grounding_dino import MultiScaleDeformableAttention

from transforms.detectors.grounding_dino import model
from transforms.detectors.grounding_dino.optimized.sampling import (
    BLOCK,
    GatherAttention,
    LevelLayout,
    ValueTables,
    blocks,
)

HEADS, POINTS, CHANNELS = 2, 3, 8

sizes = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=3)


class Attention(nn.Module):
    """The attributes of the stock module that `GatherAttention` reads. Value and output projections are identities."""

    def __init__(self, levels):
        super().__init__()
        self.n_heads, self.n_levels, self.n_points = HEADS, levels, POINTS
        self.sampling_offsets = nn.Linear(CHANNELS, HEADS * levels * POINTS * 2)
        self.attention_weights = nn.Linear(CHANNELS, HEADS * levels * POINTS)
        self.value_proj = self.output_proj = nn.Identity()


def stock(values, shapes, places, weights):
    """Samples with the stock class. places: [pictures, queries, heads, levels, points, 2], relative to each map."""
    return MultiScaleDeformableAttention()(
        values.unflatten(-1, (HEADS, -1)), None, shapes, None, places, weights, im2col_step=64
    )


@given(sizes, st.integers(1, 3), st.integers(0, 2**20), st.sampled_from([0.3, 3.0, 30.0]))
def test_what_is_seen_is_what_the_class_samples(shapes, pictures, seed, spread):
    torch.manual_seed(seed)
    maps = LevelLayout.from_shapes(tuple(shapes))
    locations = sum(height * width for height, width in shapes)
    attention = Attention(len(shapes))
    nn.init.normal_(attention.sampling_offsets.weight, std=spread)
    queries, values = torch.randn(pictures, locations, CHANNELS), torch.randn(pictures, locations, CHANNELS)
    each = (pictures, locations, HEADS, len(shapes), POINTS)
    weights = attention.attention_weights(queries).view(*each[:3], -1).softmax(-1).view(each)
    sides = torch.tensor([[width, height] for height, width in shapes], dtype=torch.float32)
    offsets = attention.sampling_offsets(queries).view(*each, 2) / sides[:, None]
    centres = torch.stack([maps.centres_x, maps.centres_y], -1) + 0.5
    places = (centres / sides)[:, None, :, None] + offsets
    sampling = GatherAttention(attention, ValueTables())
    seen = sampling(queries, sampling.tables(values, maps), maps, (maps.centres_x, maps.centres_y))
    torch.testing.assert_close(seen, stock(values, shapes, places, weights), atol=2e-5, rtol=1e-4)


def test_places_on_and_beyond_every_edge():
    maps = LevelLayout.from_shapes(((2, 3),))
    attention = Attention(1)
    sampling = GatherAttention(attention, ValueTables())
    values = torch.ones(1, 6, CHANNELS)
    tables = sampling.tables(values, maps)
    nn.init.zeros_(attention.sampling_offsets.weight)
    sampling.projection_weight.zero_()
    sampling.projection_bias.zero_()
    for x, y, share in [
        (0, 0, 1), (2, 1, 1), (-0.5, 0, 0.5), (2.5, 0, 0.5), (0, 1.5, 0.5), (2.5, 1.5, 0.25), (-1, 0, 0), (3, 0, 0),
        (0, -1, 0), (0, 2, 0), (3, 2, 0), (-1e9, 0, 0), (1e9, 1e9, 0), (float("inf"), 0, 0),
    ]:  # fmt: skip
        centres = torch.tensor([[float(x)]]), torch.tensor([[float(y)]])
        seen = sampling(torch.zeros(1, 1, CHANNELS), tables, maps, centres)
        torch.testing.assert_close(seen, torch.full((1, 1, CHANNELS), float(share)))


def test_a_place_that_is_no_number_shows_in_the_result():
    maps = LevelLayout.from_shapes(((2, 3), (1, 2)))
    sampling = GatherAttention(Attention(2), ValueTables())
    tables = sampling.tables(torch.ones(2, 8, CHANNELS), maps)
    queries = torch.zeros(2, 2, CHANNELS)
    queries[1, 0, 3] = float("nan")
    centres = torch.zeros(2, 2), torch.zeros(2, 2)
    seen = sampling(queries, tables, maps, centres)
    assert seen[1, 0].isnan().all()
    assert seen[0].isfinite().all()
    assert seen[1, 1].isfinite().all()


def test_a_canvas_whose_rows_cannot_be_counted_exactly_is_refused():
    sampling = GatherAttention(Attention(1), ValueTables())
    maps = replace(LevelLayout.from_shapes(((2, 3),)), rows=2**23)
    with pytest.raises(ValueError, match="too large for the fast forward"):
        sampling(torch.zeros(1, 1, CHANNELS), torch.zeros(1, 1, CHANNELS), maps, (torch.zeros(1, 1),) * 2)


@given(st.integers(1, 40), st.integers(1, 3 * BLOCK))
def test_blocks_take_every_query_of_every_picture_once(pictures, queries):
    seen = torch.zeros(pictures, queries, dtype=torch.int64)
    for some in blocks(pictures, queries):
        assert 0 < seen[some].numel() <= BLOCK
        seen[some] += 1
    assert (seen == 1).all()


def test_each_thread_and_each_copy_has_its_own_table():
    tables, states = ValueTables(), torch.ones(1, 6, CHANNELS)
    layouts = [LevelLayout.from_shapes(shapes) for shapes in (((2, 3),), ((3, 2),))]
    mine = tables.filled(states, nn.Identity(), layouts[0], torch.float32)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(tables.filled, states, nn.Identity(), layouts[1], torch.float32).result()
    copied = copy.deepcopy(tables).filled(states, nn.Identity(), layouts[0], torch.float32)
    assert tables.filled(states, nn.Identity(), layouts[0], torch.float32) is mine
    assert len({table.data_ptr() for table in (mine, other, copied)}) == 3


def test_the_layouts_of_all_batches_that_run_at_a_time_are_kept():
    first, again = ([LevelLayout.from_shapes(((2, 9 + n),)) for n in range(model._MOST_STREAMS)] for _ in range(2))
    assert all(one is other for one, other in zip(first, again, strict=True))
