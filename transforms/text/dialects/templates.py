"""The dialects that are only templates. The comment above each shows "a dog" with one box.

If a dialect writes nothing before the words, only the end of the words can be read back.
"""

import math

from transforms.text.dialects.kosmos2 import Grid
from transforms.text.dialects.scales import PIXELS, Decimals, InsideLastPixel, PaddedSquare, Steps, binned, rounded
from transforms.text.dialects.tagged import Tagged

_BOX_SIGNS = ("<p>", "</p>", "<box>", "</box>")
_REF_SIGNS = ("<ref>", "</ref>", "<box>", "</box>")
_THREE_DECIMALS = ",".join(["{:.3f}"] * 4)


def loc1000(name: str, bins: int) -> Tagged:
    """`<p>a dog</p><box><loc_342><loc_156><loc_587><loc_423></box>`: round(c * (bins - 1)), with 2 bins or more."""
    return Tagged(
        name,
        rounded(bins - 1, "round(c * (bins - 1))"),
        entity="<p>{phrase}</p>{boxes}",
        box="<box><loc_{}><loc_{}><loc_{}><loc_{}></box>",
        signs=(*_BOX_SIGNS, "<loc_"),
    )


def normalized(name: str, digits: int) -> Tagged:
    """`<p>a dog</p><box>[[0.34, 0.16, 0.59, 0.42]]</box>`: 1 to 9 decimals."""
    return Tagged(
        name,
        Decimals(digits, "decimals, rounded"),
        entity="<p>{phrase}</p><box>[{boxes}]</box>",
        box="[" + ", ".join([f"{{:.{digits}f}}"] * 4) + "]",
        between=", ",
        number=r"[01]\.\d+",
        signs=_BOX_SIGNS,
    )


TEMPLATES = (
    # <p>a dog</p><box><loc_195><loc_751></box>: the form in the Kosmos-2 paper (arXiv 2306.14824, section 3), with the
    # arithmetic of its training code. Released models do not read it. Use it to quote the paper or for your own models.
    Tagged(
        "kosmos2-paper",
        Grid(training=True),
        entity="<p>{phrase}</p><box>{boxes}</box>",
        box="<loc_{}><loc_{}>",
        between="<delim>",
        number=r"\d{1,4}",
        signs=(*_BOX_SIGNS, "<loc_", "<delim>"),
    ),
    # [a dog](0.120,0.340,0.670,0.890): easy to read for people. The Kosmos-2 paper calls its own markup hyperlinks.
    Tagged(
        "markdown",
        Decimals(3, "three decimals, rounded"),
        entity="[{phrase}]({boxes})",
        box=_THREE_DECIMALS,
        between=";",
        number=r"[01]\.\d{3}",
        words=r"[^\[\]]+",
    ),
    # a dog [120, 80, 340, 450]
    Tagged("pixels", PIXELS, entity="{phrase}{boxes}", box=" [{}, {}, {}, {}]"),
    # a dog[0.220,0.216,0.568,0.830] (shikras/shikra)
    Tagged(
        "shikra",
        PaddedSquare(3, "three decimals of the padded square, rounded"),
        entity="{phrase}[{boxes}]",
        box=_THREE_DECIMALS,
        between=";",
        number=r"[01]\.\d{3}",
    ),
    # a dog [290, 371, 605, 750] (apple/ml-ferret)
    Tagged(
        "ferret",
        InsideLastPixel(
            lambda *_: (1000, 1000), "int(x * 1000 / width) of a corner within the last pixel", int, moves=1.0
        ),
        entity="{phrase}{boxes}",
        box=" [{}, {}, {}, {}]",
        number=r"\d{1,3}",
    ),
    # <ref>a dog</ref><box>(451,379),(731,806)</box> (QwenLM/Qwen-VL). Its evaluation divides by 999, its README says
    # [0, 1000). Here a corner is truncated to thousandths and read as the middle of its thousandth.
    Tagged(
        "qwen-vl",
        binned(1000),
        entity="<ref>{phrase}</ref>{boxes}",
        box="<box>({},{}),({},{})</box>",
        signs=(*_REF_SIGNS, "<img>"),
    ),
    # <|object_ref_start|>a dog<|object_ref_end|><|box_start|>(290,371),(605,750)<|box_end|> (QwenLM/Qwen2-VL)
    Tagged(
        "qwen2-vl",
        rounded(1000),
        entity="<|object_ref_start|>{phrase}<|object_ref_end|>{boxes}",
        box="<|box_start|>({},{}),({},{})<|box_end|>",
        signs=("<|",),
    ),
    # a dog [[086,540,400,760]] (THUDM/CogVLM)
    Tagged(
        "cogvlm",
        Steps(lambda *_: (1000, 1000), "round(c * 1000), at most 999", margin=1, moves=1.0),
        entity="{phrase} [[{boxes}]]",
        box="{:03},{:03},{:03},{:03}",
        between=";",
        number=r"\d{3}",
        signs=("[[", "]]"),
    ),
    # <ref>a dog</ref><box>[[290, 371, 605, 750]]</box> (OpenGVLab/InternVL)
    Tagged(
        "internvl",
        rounded(1000),
        entity="<ref>{phrase}</ref><box>[{boxes}]</box>",
        box="[{}, {}, {}, {}]",
        between=", ",
        signs=_REF_SIGNS,
    ),
    # <p>a dog</p> {<29><37><60><75>} (Vision-CAIR/MiniGPT-4)
    Tagged(
        "minigpt-v2",
        Steps(lambda *_: (100, 100), "int(c * 100)", math.floor, moves=1.0),
        entity="<p>{phrase}</p> {boxes}",
        box="{{<{}><{}><{}><{}>}}",
        between="<delim>",
        number=r"\d{1,3}",
        signs=("<p>", "</p>", "{<", "<delim>"),
    ),
)
