"""Colours, for terminals only: never in a file or pipe, nor if `NO_COLOR` is set."""

import os
import sys

_CODES = {"heading": "1", "offset": "2", "word": "36", "name": "33"}


class Palette:
    """Marks parts of the output by what they are; `Palette(False)` leaves them as they are."""

    def __init__(self, coloured: bool | None = None) -> None:
        self.coloured = _wanted() if coloured is None else coloured

    def heading(self, text: str) -> str:
        """The title of a part."""
        return self._mark("heading", text)

    def offset(self, text: str) -> str:
        """A place in the binary, and other small print."""
        return self._mark("offset", text)

    def word(self, text: str) -> str:
        """A keyword or an instruction."""
        return self._mark("word", text)

    def name(self, text: str) -> str:
        """The name of something in the module."""
        return self._mark("name", text)

    def _mark(self, what: str, text: str) -> str:
        return f"\x1b[{_CODES[what]}m{text}\x1b[0m" if self.coloured and text else text


def _wanted() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not plain and sys.stdout.isatty()
