import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.image_cells import described, image_in
from tests.pipeline.builders import image
from transforms.records import Fault, Reason

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")


@pytest.mark.parametrize("kind", FORMATS)
def test_an_image_in_base64_is_found_by_its_first_characters(kind: str) -> None:
    data = image(1, kind)
    text = base64.b64encode(data).decode()
    assert [image_in(cell) for cell in (data, text, text.encode(), f"data:image/x;base64,{text}")] == [data] * 4
    assert image_in(base64.encodebytes(data).decode()) == data, "with line breaks"


@pytest.mark.parametrize(
    "cell",
    [
        list(b"abc"),
        {"bytes": list(b"abc"), "path": None},
        [{"bytes": b"abc", "path": "x.png"}],
        [[b"abc"]],
        "data:;base64,YWJj",
        "data:image/png;charset=utf-8;base64,YWJj",
        "data:text/plain,a%62c",
    ],
)
def test_other_forms_of_bytes(cell: Any) -> None:
    assert image_in(cell) == b"abc"


@pytest.mark.parametrize("path", ["a.jpg", "/9j/1.jpg", "/9j/" + "a" * 200 + ".jpg", "/9j/abc", "http://x/a.jpg", "Qk"])
@pytest.mark.parametrize("wrap", [lambda path: path, lambda path: [path], lambda path: {"bytes": None, "path": path}])
def test_a_path_stays_a_path(path: str, wrap: Any) -> None:
    assert image_in(wrap(path)) == path


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (None, "the row names no image"),
        ("", "the row names no image"),
        ([], "the row names no image"),
        ({"bytes": b"", "path": "x.jpg"}, "the row names no image"),
        (7, "the image is a number"),
        (["a.jpg", "b.jpg"], "the image is a list of 2 texts"),
        ([256] * 12_345, "the image is a list of 12,345 numbers"),
        ({"src": "http://x", "height": 3}, "the image is an object with src, height"),
        ("data:image/png;base64,abc", "the image is invalid base64: Incorrect padding"),
    ],
)
def test_what_is_no_image_is_named(cell: Any, told: str) -> None:
    found = image_in(cell)
    assert isinstance(found, Fault)
    assert (found.reason, found.detail) == (Reason.NO_IMAGE, told)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda cells: st.lists(cells) | st.dictionaries(st.sampled_from(["bytes", "path", "x"]), cells),
    )
)
def test_any_cell_gives_bytes_a_path_or_a_fault_of_one_line(cell: Any) -> None:
    found = image_in(cell)
    assert isinstance(found, bytes | str | Fault)
    assert not isinstance(found, Fault) or len(found.detail.splitlines()) == 1
    assert len(described(cell)) < 200
