"""What a reader or a program finds in a page."""

from html.parser import HTMLParser


class Outline(HTMLParser):
    """Headings of the levels named, numbers, addresses and pictures of a page; one drawn twice, for phones, once."""

    def __init__(self, page: str, headings: tuple[str, ...] = ("h1", "h2", "h3")) -> None:
        super().__init__()
        self._levels = headings
        self.headings: list[str] = []
        self.values: list[float] = []
        self.addresses: list[str] = []
        self.pictures: list[str] = []
        self._heading = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._heading = tag in self._levels
        for name, value in attrs:
            if name == "data-value" or (tag == "data" and name == "value"):
                self.values.append(float(value or "nan"))
            if name in ("src", "href", "action", "srcset", "xlink:href"):
                self.addresses.append(value or "")
            if tag == "svg" and name == "aria-label" and value not in self.pictures:
                self.pictures.append(value or "")

    def handle_data(self, data: str) -> None:
        if self._heading and data.strip():
            self.headings.append(data.strip())
            self._heading = False
