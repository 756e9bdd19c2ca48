"""Images that chats bring: ``data:`` URLs, read within bounds and drawn anew as the model was taught to see them.

An engine gets what was drawn here and never a client's bytes: its decoder for images is written in C. Addresses of
images elsewhere are refused, so that nobody has the pool fetch what only the pool can reach.
"""

import base64
import io
import mmap
from dataclasses import dataclass
from pathlib import Path

from tenfold.core.errors import AssetError
from tenfold.core.gguf import Header
from tenfold.serve.rejection import Rejection

MOST_IMAGES = 8
MOST_PIXELS = 16_000_000
"""Of all images of a request; drawing them takes about 200 MB for a moment. A phone's picture has 12 million."""

MOST_SCANS = 32
"""Of a JPEG. A progressive one has 10; each is gone through in whole, and one of 25 bytes may stand for all pixels."""

PROJECTOR = "llama4"
"""llama.cpp's name for what reads images in models of the Llama 4 kind."""
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
_JPEG, _SCAN = b"\xff\xd8", b"\xff\xda"
"""How one begins, and each of its scans; no data within a scan look so."""
_MARKS = 2
_TRANSPOSED = "tenfold.vision.transposed"
"""Key of a file that is made for pictures with rows and columns swapped: ``tenfold llama release`` says why."""


@dataclass(frozen=True, slots=True)
class Eyes:
    """What reads images for a model.

    ``side``: of an image, in pixels. ``tokens``: that an image takes. ``transposed``: rows and columns are swapped.
    """

    side: int
    tokens: int
    transposed: bool


def read_eyes(file: Path) -> Eyes:
    """Read what a GGUF file says of the images that it reads.

    Raises:
        AssetError: it is no such file, or it reads images in another way than a Llama 4 does.
    """
    try:
        with (
            file.open("rb") as opened,
            mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            memoryview(mapped) as data,
        ):
            told = Header(data).metadata
        kind = told.get("clip.projector_type")
        if kind != PROJECTOR:
            raise ValueError(f"its projector is {kind!r}; images are read by {PROJECTOR!r} here")
        side, patch, shuffle = (
            int(str(told[f"clip.vision.{key}"])) for key in ("image_size", "patch_size", "projector.scale_factor")
        )
        return Eyes(side, (side // patch // shuffle) ** 2 + _MARKS, bool(told.get(_TRANSPOSED)))
    except (ValueError, KeyError, OSError, ZeroDivisionError) as error:
        raise AssetError(
            f"{file} reads no images for this pool: {error}",
            next_step="name the mmproj file that 'tenfold llama release' wrote beside the model",
        ) from error


def may_bring_images(raw: bytes) -> bool:
    """Whether a body may name an image; one with an escape could hide the name."""
    return b"image_url" in raw or b"\\u" in raw


class Looking:
    """The images of one request, one after the other, within the bounds of a request.

    Args:
        eyes: what they are drawn for.
    """

    def __init__(self, eyes: Eyes) -> None:
        self._eyes = eyes
        self._pixels = 0

    def draw(self, url: str, param: str) -> str:
        """Draw the image of a URL, and give it as a URL again.

        Raises:
            Rejection: 400: it is no ``data:`` URL of an image, or too large.
        """
        from PIL import Image

        from tenfold.core.picture import UNREADABLE, on_white

        data = _bytes_of(url, param)
        if data.startswith(_JPEG) and data.count(_SCAN) > MOST_SCANS:
            raise _refusal(param, f"a JPEG may have {MOST_SCANS} scans")
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                self._pixels += picture.width * picture.height
                if self._pixels > MOST_PIXELS:
                    raise _refusal(param, f"the images of a request may have {MOST_PIXELS:,} pixels together")
                drawn = on_white(picture, self._eyes.side)
        except UNREADABLE as error:
            kinds = ", ".join(_FORMATS)
            raise _refusal(param, f"the image cannot be read as one of {kinds}: {error!s:.100}") from error
        if self._eyes.transposed:
            drawn = drawn.transpose(Image.Transpose.TRANSPOSE)
        written = io.BytesIO()
        drawn.save(written, "PNG", compress_level=1)
        return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()


def _bytes_of(url: str, param: str) -> bytes:
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and comma):
        raise _refusal(param, "images come in the request, as data:image/png;base64,...; addresses are not fetched")
    if not head.endswith(";base64"):
        raise _refusal(param, "the data of an image are in base64: data:image/png;base64,...")
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise _refusal(param, f"the data of the image are no base64: {error}") from error


def _refusal(param: str, message: str) -> Rejection:
    return Rejection(400, f"{param!r}: {message}", param=param, code="invalid_image")
