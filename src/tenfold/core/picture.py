"""Pictures as a model is shown them: the same square in training, and when somebody sends one."""

import struct

from PIL import ExifTags, Image

UNREADABLE = (
    *(OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError),
    *(ArithmeticError, EOFError, LookupError, TypeError),
)
"""What Pillow raises of a file that is no picture, or a damaged one; the second line of damaged EXIF and frames."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's orientation, as ``ImageOps.exif_transpose`` has it, which writes EXIF anew too and may fail at that."""


def on_white(picture: Image.Image, side: int) -> Image.Image:
    """A picture, upright, on white in a square of so many pixels; one that is smaller keeps its size.

    Raises:
        UNREADABLE: its pixels cannot be read.
    """
    picture.load()
    # A camera that was held upright says so in EXIF, and leaves the pixels lying.
    turn = _UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    if picture.mode.startswith("I;16"):
        # Greys of 16 bits: Pillow would take all but the darkest 256 for white.
        picture = picture.point(lambda grey: grey / 256).convert("L")
    shown = picture.convert("RGBA")
    if turn is not None:
        shown = shown.transpose(turn)
    shown.thumbnail((side, side))
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(shown, ((side - shown.width) // 2, (side - shown.height) // 2))
    return square.convert("RGB")
