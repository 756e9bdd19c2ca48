"""Bytes of a file or page that somebody wrote, as text: byte order marks, old encodings, foreign line ends."""

import codecs

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decode(data: bytes, declared: str | None = None) -> str:
    """Read as its mark says, else as UTF-8, else as ``declared``, else as Windows-1252, which reads anything.

    Lines end in line feeds alone afterwards.
    """
    text = _decoded(data, declared)
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _decoded(data: bytes, declared: str | None) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    for encoding in ("utf-8", declared):
        try:
            if encoding is not None:
                return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("cp1252", errors="replace")
