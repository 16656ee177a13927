"""Multiscale deformable attention (Deformable DETR, arXiv 2010.04159) as one weighted gather.

Each head of a query samples a few points in the map of each level. The class samples every level with `grid_sample`,
stacks all sampled values and multiplies them by the attention weights, which causes memory traffic. Here the result is
a weighted sum of rows of a table of values: four rows per point, each weighted with its bilinear share times the
point's attention weight. Values outside a map are zero; the table has a border of zeros instead of a mask.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK = 512
"""Queries that are computed together. The intermediate result of two products, 4 MB at 2,048 channels, then stays in a
core's caches."""

_EXACT = 2**24
"""Row numbers are computed in float32, which is exact up to this integer: two million locations with eight heads."""

_LAYOUTS = 8
"""Layouts that are kept, 0.6 MB each at 800 x 1056: a small model may compute so many batches at a time."""

Shapes = tuple[tuple[int, int], ...]
"""Height and width of the map of each level."""


def blocks(pictures: int, queries: int) -> Iterator[tuple[slice, slice]]:
    """Yields slices of images and of queries with at most `BLOCK` queries: part of one image, or whole images."""
    if queries > BLOCK:
        for picture in range(pictures):
            for first in range(0, queries, BLOCK):
                yield slice(picture, picture + 1), slice(first, first + BLOCK)
        return
    step = BLOCK // queries
    for first in range(0, pictures, step):
        yield slice(first, first + step), slice(0, queries)


@dataclass(frozen=True)
class HeadLayout:
    """The values of a `LevelLayout` for each head and each point of each level: float32 [heads, levels * points].

    strides, firsts and below count rows of a table with one row per location and head. firsts: rows of the first inner
    cells. below: `strides` as int32.
    """

    widths: Tensor
    heights: Tensor
    strides: Tensor
    firsts: Tensor
    below: Tensor


@dataclass(frozen=True, eq=False)
class LevelLayout:
    """The positions of the maps of all levels in a table. Each map has a border of zeros.

    centres_x, centres_y: [locations, levels], the centre of each location in each map, in cells of that map.
    widths, heights: [levels]. strides: [levels], rows from a cell to the cell below. starts: [levels], row of the first
    inner cell. rows: number of rows for one image.
    """

    shapes: Shapes
    centres_x: Tensor
    centres_y: Tensor
    widths: Tensor
    heights: Tensor
    strides: Tensor
    starts: Tensor
    rows: int

    @classmethod
    @lru_cache(maxsize=_LAYOUTS)
    def from_shapes(cls, shapes: Shapes) -> "LevelLayout":
        """The layout for these shapes."""
        widths = torch.tensor([width for _, width in shapes], dtype=torch.float32)
        heights = torch.tensor([height for height, _ in shapes], dtype=torch.float32)
        across = torch.cat([((torch.arange(width) + 0.5) / width).repeat(height) for height, width in shapes])
        down = torch.cat([((torch.arange(height) + 0.5) / height).repeat_interleave(width) for height, width in shapes])
        first = [0]
        for height, width in shapes:
            first.append(first[-1] + (height + 2) * (width + 2))
        strides = widths + 2
        return cls(
            shapes,
            across[:, None] * widths - 0.5,
            down[:, None] * heights - 0.5,
            widths,
            heights,
            strides,
            torch.tensor(first[:-1]) + strides + 1,
            first[-1] + int(strides.max()) + 2,  # a point on the border reads one row beyond it, with weight zero
        )

    def strips(self) -> Iterator[tuple[slice, slice, int]]:
        """Yields groups of lines of a map, about `BLOCK` cells each: locations, rows with borders, width of the map."""
        location = row = 0
        for height, width in self.shapes:
            step = max(BLOCK // width, 1)
            for line in range(0, height, step):
                lines = min(step, height - line)
                cells = slice(location + line * width, location + (line + lines) * width)
                below = row + (line + 1) * (width + 2)
                yield cells, slice(below, below + lines * (width + 2)), width
            location += height * width
            row += (height + 2) * (width + 2)


@lru_cache(maxsize=2 * _LAYOUTS)
def _head_layout(maps: LevelLayout, heads: int, points: int) -> HeadLayout:
    """The layout repeated for heads and points, because a core computes long contiguous lines fastest."""

    def spread(of_levels: Tensor) -> Tensor:
        return of_levels.repeat_interleave(points).repeat(heads, 1)

    strides = spread(maps.strides) * heads
    firsts = spread(maps.starts) * heads + torch.arange(heads)[:, None]
    return HeadLayout(spread(maps.widths), spread(maps.heights), strides, firsts, strides.to(torch.int32))


class ValueTables(threading.local):
    """The table of values that all layers of a model use, one after the other. Its border is always zero.

    It is reused for all layers and forward passes of a thread, because allocating 20 MB takes as long as filling them.
    """

    def __init__(self) -> None:
        self._maps: LevelLayout | None = None
        self._tables = torch.empty(0)

    def __reduce__(self) -> tuple[type["ValueTables"], tuple[()]]:
        return ValueTables, ()  # a copy is empty

    def filled(self, states: Tensor, value: nn.Module, maps: LevelLayout, dtype: torch.dtype) -> Tensor:
        """[images, rows, channels], from states [images, locations, channels]. value: the layer that projects, of that
        dtype."""
        shape = (len(states), maps.rows, states.shape[-1])
        if self._maps != maps or self._tables.shape != shape or self._tables.dtype != dtype:
            self._maps, self._tables = maps, states.new_zeros(shape, dtype=dtype)
        for table, state in zip(self._tables, states, strict=True):
            for cells, rows, width in maps.strips():
                bordered = table[rows].view(-1, width + 2, shape[-1])
                bordered[:, 1:-1] = value(state[cells].to(dtype)).view(-1, width, shape[-1])
        return self._tables


class GatherAttention(nn.Module):
    """A deformable attention with weights in the order that the gather needs.

    attention: the class's module. tables: shared by the layers of the model; a thread runs one layer at a time.
    """

    def __init__(self, attention: Any, tables: ValueTables) -> None:
        super().__init__()
        self.all_tables = tables
        self.heads, self.levels, self.points = attention.n_heads, attention.n_levels, attention.n_points
        self.samples = self.heads * self.levels * self.points
        self.value, self.output = attention.value_proj, attention.output_proj
        # The class interleaves x and y of the points. Here all x come first, then all y, then the attention weights.
        offsets = attention.sampling_offsets
        weight = offsets.weight.detach().view(self.samples, 2, -1).transpose(0, 1).flatten(0, 1)
        bias = offsets.bias.detach().view(self.samples, 2).t().flatten()
        self.projection_weight = nn.Buffer(torch.cat((weight, attention.attention_weights.weight.detach())))
        self.projection_bias = nn.Buffer(torch.cat((bias, attention.attention_weights.bias.detach())))

    def tables(self, states: Tensor, maps: LevelLayout) -> Tensor:
        """The table [images, rows, channels] for hidden states [images, locations, channels]."""
        return self.all_tables.filled(states, self.value, maps, self.projection_weight.dtype)

    def forward(
        self,
        queries: Tensor,
        tables: Tensor,
        maps: LevelLayout,
        centres: Sequence[Tensor],
        spans: Sequence[Tensor] = (),
    ) -> Tensor:
        """The attended values of each query, [images, queries, channels].

        Args:
          queries: [images, queries, channels], positions added. tables: of these images.
          centres: x and y, [queries, levels] or [images, queries, levels], in cells of each map.
          spans: the length of an offset of 1, in the form of `centres`. Empty: one cell.
        """
        weight = self.projection_weight
        # Coordinates and row numbers are float32 in any precision.
        projected = functional.linear(queries.to(weight.dtype), weight, self.projection_bias).float()
        shape = (*queries.shape[:2], self.heads, self.levels * self.points)
        x, y, weights = (part.view(shape) for part in projected.split(self.samples, dim=-1))
        weights = weights.softmax(-1)
        for coords, centre, span in zip((x, y), centres, spans or (None, None), strict=True):
            if span is not None:
                coords.mul_(self._repeat_per_point(span))
            coords.add_(self._repeat_per_point(centre))
        rows = self._rows(x, y, maps, tables)
        attended = functional.embedding_bag(
            rows.view(-1, 4 * shape[-1]),
            tables.reshape(-1, tables.shape[-1] // self.heads),
            per_sample_weights=_shares(x, y, weights).view(-1, 4 * shape[-1]).to(tables.dtype),
            mode="sum",
        )
        output: Tensor = self.output(attended.view(queries.shape))
        return output.to(queries.dtype)

    def _repeat_per_point(self, of_levels: Tensor) -> Tensor:
        """[…, levels] -> […, 1, levels * points], equal for all heads."""
        return of_levels.repeat_interleave(self.points, -1).unsqueeze(-2)

    def _rows(self, x: Tensor, y: Tensor, maps: LevelLayout, tables: Tensor) -> Tensor:
        """int32 [images, queries, heads, 4, points of all levels]: the four rows around each point, for each head.

        Changes x and y in place to the fraction in the cell, 0..1.
        """
        if maps.rows * self.heads >= _EXACT:
            raise ValueError(f"a canvas with {maps.rows} locations is too large for the fast forward")
        layout = _head_layout(maps, self.heads, self.points)
        left, top = _split(x, layout.widths), _split(y, layout.heights)
        first = top.mul_(layout.strides).add_(left, alpha=self.heads).add_(layout.firsts)
        rows = torch.empty((*x.shape[:3], 4, x.shape[3]), dtype=torch.int32, device=x.device)
        corners = rows.unbind(3)
        corners[0].copy_(first)
        # A NaN coordinate becomes an arbitrary integer. Its share is NaN as well, so the result is NaN.
        corners[0].clamp_(0, (maps.rows - int(maps.strides.max()) - 2) * self.heads)
        if len(tables) > 1:
            pictures = torch.arange(len(tables), dtype=torch.int32, device=x.device) * (maps.rows * self.heads)
            corners[0].add_(pictures[:, None, None, None])
        torch.add(corners[0], self.heads, out=corners[1])
        torch.add(corners[0], layout.below, out=corners[2])
        torch.add(corners[2], self.heads, out=corners[3])
        return rows


def _split(coords: Tensor, sides: Tensor) -> Tensor:
    """Clamps coordinates to -1..side and returns their whole cells. `coords` keeps the fractions."""
    coords.clamp_(torch.full_like(sides, -1), sides)
    cells = coords.floor()
    coords.sub_(cells)
    return cells


def _shares(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """[images, queries, heads, 4, points of all levels]: the weight of each of the four rows around a point."""
    shares = weights.new_empty((*weights.shape[:3], 4, weights.shape[3]))
    upper_left, upper_right, lower_left, lower_right = shares.unbind(3)
    right = weights * x
    left = weights.sub_(right)
    torch.mul(right, y, out=lower_right)
    torch.sub(right, lower_right, out=upper_right)
    torch.mul(left, y, out=lower_left)
    torch.sub(left, lower_left, out=upper_left)
    return shares


class BoxAttention(nn.Module):
    """The decoder's deformable attention: points around the centre of a query's box, in units of half its sides."""

    def __init__(self, attention: Any, tables: ValueTables) -> None:
        super().__init__()
        self.sampling = GatherAttention(attention, tables)

    def forward(
        self,
        hidden_states: Tensor,
        *,
        encoder_hidden_states: Tensor,
        position_embeddings: Tensor,
        reference_points: Tensor,
        spatial_shapes_list: Sequence[tuple[int, int]],
        **_: Any,
    ) -> tuple[Tensor, None]:
        """As the class's module, with None for attention weights. reference_points: [images, queries, levels, 4]."""
        maps = LevelLayout.from_shapes(tuple(map(tuple, spatial_shapes_list)))
        tables = self.sampling.tables(encoder_hidden_states, maps)
        queries = hidden_states + position_embeddings
        middle_x, middle_y, width, height = reference_points.unbind(-1)
        points = 2 * self.sampling.points
        attended = torch.empty_like(queries)
        for pictures, query_slice in blocks(*queries.shape[:2]):
            index = (pictures, query_slice)
            centres = middle_x[index] * maps.widths - 0.5, middle_y[index] * maps.heights - 0.5
            spans = width[index] * maps.widths / points, height[index] * maps.heights / points
            attended[index] = self.sampling(queries[index], tables[pictures], maps, centres, spans)
        return attended, None
