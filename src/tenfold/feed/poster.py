"""A drawn poster for an item that has no picture: shapes and colours by its genres, its title in words."""

import hashlib
from collections.abc import Sequence
from html import escape
from math import cos, pi, sin

WIDTH, HEIGHT = 240, 340
_HUES = {
    "Action": 8, "Adventure": 28, "Animation": 48, "Children's": 60, "Comedy": 42, "Crime": 270, "Documentary": 200,
    "Drama": 215, "Fantasy": 290, "Film-Noir": 235, "Horror": 350, "Musical": 320, "Mystery": 255, "Romance": 335,
    "Sci-Fi": 185, "Thriller": 225, "War": 90, "Western": 20,
}  # fmt: skip
_LINE = 17
_MOST_LINES = 5


def poster(title: str, genres: Sequence[str]) -> str:
    """Draw the poster, an SVG image of 240 x 340; the same title and genres give the same picture."""
    seed = hashlib.blake2b(title.encode(), digest_size=16).digest()
    first = _HUES.get(genres[0], seed[0] * 360 // 256) if genres else seed[0] * 360 // 256
    second = _HUES.get(genres[1], first + 40) if len(genres) > 1 else first + 40
    lines = _wrapped(title)
    top = HEIGHT - 26 - 22 * len(lines)
    words = "".join(
        f'<text x="18" y="{top + 22 * row}" class="t">{escape(line)}</text>' for row, line in enumerate(lines)
    )
    label = escape(" · ".join(genres[:3]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title>"
        "<style>.t{font:700 19px system-ui,sans-serif;fill:#fff}.g{font:500 12px system-ui,sans-serif;fill:#ffffffc0}"
        "</style>"
        f'<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop stop-color="hsl({first} 62% 42%)"/>'
        f'<stop offset="1" stop-color="hsl({second} 58% 18%)"/></linearGradient></defs>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="url(#g)"/>{_shapes(seed, second)}'
        f'<rect y="{top - 40}" width="{WIDTH}" height="{HEIGHT - top + 40}" fill="#0006"/>{words}'
        f'<text x="18" y="{HEIGHT - 16}" class="g">{label}</text></svg>'
    )


def _shapes(seed: bytes, hue: int) -> str:
    """Draw three to six circles, bars or stars, placed and sized by the bytes of ``seed``."""
    found = []
    for index in range(3 + seed[1] % 4):
        a, b, c = seed[2 + index], seed[6 + index], seed[9 + index]
        x, y, size = 20 + a * 200 / 255, 20 + b * 170 / 255, 18 + c * 60 / 255
        fill = f'fill="hsl({hue + 20 * index} 70% {45 + 6 * index}%)" opacity=".55"'
        if seed[15] % 3 == 0:
            found.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{size:.0f}" {fill}/>')
        elif seed[15] % 3 == 1:
            turn = f'transform="rotate({(a - 128) / 4:.0f} {x:.0f} {y:.0f})"'
            found.append(f'<rect x="{x:.0f}" y="{y - size:.0f}" width="14" height="{2 * size:.0f}" {turn} {fill}/>')
        else:
            found.append(f'<path d="{_star(x, y, size)}" {fill}/>')
    return "".join(found)


def _star(x: float, y: float, size: float) -> str:
    points = []
    for corner in range(10):
        radius = size if corner % 2 == 0 else size * 0.45
        angle = corner * pi / 5 - pi / 2
        points.append(f"{x + radius * cos(angle):.1f} {y + radius * sin(angle):.1f}")
    return f"M{' L'.join(points)}Z"


def _wrapped(title: str) -> list[str]:
    """Break a title into lines of about 17 characters; the last of five ends in dots where there is more."""
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word[: 2 * _LINE]}".strip()
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1]} ..."]
    return lines
