import io
from dataclasses import replace

import pytest
from PIL import Image

from tests.transforms.test_images import many_scans
from transforms.detectors.base import Request
from transforms.images import ImageFault


def png():
    target = io.BytesIO()
    Image.new("RGB", (8, 6), (255, 0, 0)).save(target, "PNG")
    return target.getvalue()


def test_a_request_shows_its_picture_but_does_not_hold_it():
    request = Request(png(), 8, 6, ("a dog",))
    picture = request.image
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", (8, 6), (255, 0, 0))
    assert not any(isinstance(value, Image.Image) for value in vars(request).values())


def test_a_request_obeys_its_pixel_limit():
    with pytest.raises(ImageFault):
        Request(png(), 8, 6, (), max_pixels=47).image  # noqa: B018


def test_a_request_obeys_its_limit_of_scans():
    request = Request(many_scans(3), 48, 32, (), max_scans=13)
    assert request.image.size == (48, 32)
    with pytest.raises(ImageFault, match=r"more than source\.max_scans, 12"):
        replace(request, max_scans=12).image  # noqa: B018


def test_a_request_shows_no_bytes():
    assert "PNG" not in repr(Request(png(), 8, 6, ("a dog",)))
