"""Pictures as a model is shown them: the same square in training, and when somebody sends one."""

import struct

from PIL import Image, ImageOps

UNREADABLE = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)
"""What Pillow raises of a file that is no picture, or a damaged one."""


def on_white(picture: Image.Image, side: int) -> Image.Image:
    """A picture, upright, on white in a square of so many pixels; one that is smaller keeps its size.

    Raises:
        UNREADABLE: its pixels cannot be read.
    """
    # A camera that was held upright says so in EXIF, and leaves the pixels lying.
    shown = ImageOps.exif_transpose(picture).convert("RGBA")
    shown.thumbnail((side, side))
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(shown, ((side - shown.width) // 2, (side - shown.height) // 2))
    return square.convert("RGB")
