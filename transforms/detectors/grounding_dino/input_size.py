"""The size of the model's input: from the settings and the checkpoint, and whether it is large enough. Without torch.

The encoder gives a vector for each place of its feature maps. The model picks as many of them as it has queries, so an
input with fewer places makes torch fail: tiny has 900 queries, and 882 places in 1312 x 32 pixels.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

from transforms.detectors.grounding_dino.settings import GroundingDinoSettings

_DEFAULT_SIDES = (800, 1333)


def input_sides(settings: GroundingDinoSettings, size: Mapping[str, int]) -> tuple[int, int]:
    """The shorter side of an input, and the limit of its longer one, in pixels. size: that of the model's processor.

    Raises:
      ValueError: the sides or the step do not fit together.
    """
    short = settings.short_side or size.get("shortest_edge") or _DEFAULT_SIDES[0]
    long = settings.long_side or size.get("longest_edge") or max(_DEFAULT_SIDES[1], short)
    if long < short:
        raise ValueError(f"detector.long_side: {long} is less than the short side, {short}")
    return short, long


def count_places(config: Mapping[str, Any], width: int, height: int) -> int | None:
    """The places of the feature maps. config: the content of config.json. None for another backbone than Swin."""
    backbone = config.get("backbone_config") or {}
    stages = [int(name.removeprefix("stage")) for name in backbone.get("out_features") or () if name != "stem"]
    patch = backbone.get("patch_size", 4)
    if backbone.get("model_type") != "swin" or not stages or not isinstance(patch, int):
        return None
    strides = [patch << (stage - 1) for stage in stages]
    maps = [(ceil(width / stride), ceil(height / stride)) for stride in strides]
    while len(maps) < config.get("num_feature_levels", 4):  # each by a convolution of stride 2
        maps.append((ceil(maps[-1][0] / 2), ceil(maps[-1][1] / 2)))
    return sum(wide * high for wide, high in maps)


def explain_small(config: Mapping[str, Any], width: int, height: int) -> str:
    """Why an input of so many pixels is too small. Empty if it is not."""
    places, queries = count_places(config, width, height), config.get("num_queries", 900)
    if places is None or places >= queries:
        return ""
    return f"an input of {width} x {height} pixels has {places} places, fewer than the {queries} queries of the model"


def least_side(config: Mapping[str, Any], step: int) -> int:
    """The least side of a square input that is large enough, in pixels: a multiple of `step`."""
    return next(side for side in count(step, step) if not explain_small(config, side, side))


def check_input(settings: GroundingDinoSettings, folder: Path) -> None:
    """Raises ValueError if square images would make too small an input, or if the sides do not fit together.

    folder: of the checkpoint. The file of its processor is missing if workers are to download it from the hub.
    """
    size = _processor_size(folder)
    if size or settings.short_side:
        short, long = input_sides(settings, size)
        step, config = settings.canvas_step, _read(folder / "config.json")
        side = min(max(round(short / step), 1), max(long // step, 1)) * step  # as `ResizeRule`, which imports torch
        if problem := explain_small(config, side, side):
            raise ValueError(f"detector.short_side: {short}: {problem}; use at least {least_side(config, step)}")


def _processor_size(folder: Path) -> dict[str, int]:
    """The size in the file of the processor. Empty if there is none, or only the number of early releases."""
    contents = [_read(folder / name) for name in ("processor_config.json", "preprocessor_config.json")]
    sizes = [(content.get("image_processor") or content).get("size") for content in contents]
    return next((size for size in sizes if isinstance(size, dict)), {})


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, TypeError):  # whoever loads the checkpoint says what is wrong with it
        return dict(json.loads(path.read_bytes()))
    return {}
