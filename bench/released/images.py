"""Pictures to train a small model on, and what is told of one that it was not shown."""

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tenfold.llama.data.index import DataIndex
from tenfold.llama.data.pairs import PairChoices, build_pairs

COLOURS = {
    "red": "#d02020", "green": "#20a040", "blue": "#2040d0", "black": "#101010", "yellow": "#e0c020", "pink": "#f080b0",
}  # fmt: skip
FORMS = ("circle", "square", "triangle")
SIDE = 32


def build_drawings(folder: Path, *, each: int = 24) -> DataIndex:
    """Forms of all colours at random places and sizes, as pairs in ``folder``/pairs; a fifth is held out."""
    random, rows = np.random.default_rng(0), []
    for colour in COLOURS:
        for form in FORMS:
            for number in range(each):
                name = f"{colour}-{form}-{number}.png"
                _drawing(colour, form, random).save(folder / name)
                rows.append({"image": name, "caption": f"a {colour} {form}"})
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return build_pairs(
        folder / "pairs", [folder / "rows.jsonl"], PairChoices(SIDE, "caption", 320, 0.2), lambda _what, _share: None
    )


def _drawing(colour: str, form: str, random: np.random.Generator) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    size = int(random.integers(12, 24))
    left, top = (int(place) for place in random.integers(0, SIDE - size, 2))
    draw, box = ImageDraw.Draw(picture), (left, top, left + size, top + size)
    if form == "circle":
        draw.ellipse(box, fill=COLOURS[colour])
    elif form == "square":
        draw.rectangle(box, fill=COLOURS[colour])
    else:
        draw.polygon(
            [(left, top + size), (left + size, top + size), (left + size / 2, top)], fill=COLOURS[colour]
        )  # fmt: skip
    return picture


def png_of(image_MSS: NDArray[np.float32]) -> bytes:
    """An image as the sampler hands it out, as a file."""
    pixels_SSM = np.rint((image_MSS.transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels_SSM).save(written, "PNG")
    return written.getvalue()
