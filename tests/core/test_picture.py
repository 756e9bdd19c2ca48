"""A picture looks to a model as it does to a person, whatever its file says of it."""

import io
import struct

import pytest
from PIL import ExifTags, Image, ImageOps

from tenfold.core.picture import on_white

ORIENTATION, PLACE, VERSION = ExifTags.Base.Orientation, ExifTags.Base.GPSInfo, 0
DAMAGED = b"Exif\0\0" + struct.pack(
    "<2sHL H HHLL HHLL L H HHL4s L",
    *(b"II", 42, 8),
    *(2, ORIENTATION, 3, 1, 6, PLACE, 4, 1, 38, 0),
    *(1, VERSION, 2, 1, b"\0", 0),
)
"""Turned on its side; the version of where it was taken is a text, which Pillow reads and cannot write again."""


def taken(orientation: int) -> Image.Image:
    """A picture of four colours, whose camera was held in one of eight ways."""
    drawing = Image.new("RGB", (6, 4), "red")
    drawing.paste("green", (0, 0, 2, 1))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "somebody"
    written = io.BytesIO()
    drawing.save(written, "PNG", exif=exif)
    return Image.open(written)


@pytest.mark.parametrize("orientation", range(10))
def test_it_is_upright_however_the_camera_was_held(orientation):
    upright = ImageOps.exif_transpose(taken(orientation))
    assert on_white(taken(orientation), 8).tobytes() == on_white(upright, 8).tobytes()


def test_a_damaged_note_beside_its_orientation_does_not_make_it_unreadable():
    written = io.BytesIO()
    taken(6).save(written, "PNG", exif=DAMAGED)
    with pytest.raises(TypeError):
        ImageOps.exif_transpose(Image.open(written))
    assert on_white(Image.open(written), 8).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize(("grey", "shown"), [(0, 0), (30_000, 117), (65_535, 255)])
def test_greys_of_sixteen_bits_are_greys(grey, shown):
    written = io.BytesIO()
    Image.new("I;16", (4, 4), grey).save(written, "PNG")
    assert on_white(Image.open(written), 4).getpixel((1, 1)) == (shown,) * 3
