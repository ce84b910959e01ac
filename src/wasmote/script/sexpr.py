"""S-expressions (spec: Text Format, Lexical Format).

A source text is split here into lists, atoms and strings, each with its place. What they mean is
the business of `commands`; a module inside a script is never interpreted, only delimited. Comments
and annotations are white space.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TypeAlias, Union

from wasmote.errors import WasmoteError

#: An atom (keyword, number or `$identifier`) is a str, a string literal the bytes it stands for.
Node: TypeAlias = Union["Expr", str, bytes]


class ScriptError(WasmoteError):
    """The script cannot be read. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line


class MalformedError(ValueError):
    """A part of a script has not the form it should; the command around it adds the line."""


@dataclass(slots=True)
class Expr:
    """A parenthesised list: `items[i]` begins at character `offsets[i]` of the source."""

    #: Where the opening parenthesis is, and one past the closing one.
    start: int
    end: int = 0
    items: list[Node] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    @property
    def head(self) -> str:
        """The keyword the list begins with; empty where it does not begin with an atom."""
        first = self.items[0] if self.items else ""
        return first if isinstance(first, str) else ""


class Lines:
    """The line number, from 1, of each character of a text."""

    def __init__(self, text: str) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]

    def __getitem__(self, offset: int) -> int:
        return bisect_left(self._ends, offset) + 1


# The character class of atoms has the `,[]{}` that only annotations may use: a script is not the
# place to check a module's tokens, the assembler does that.
_TOKEN = re.compile(
    r"""
    (?P<space>      (?: [ \t\r\n]+ | ;;[^\r\n]* )+ )
  | (?P<comment>    \(; )
  | (?P<annotation> \(@ )
  | (?P<open>       \( )
  | (?P<close>      \) )
  | (?P<string>     [$]?"[^"\\\x00-\x1f\x7f]*(?:\\.[^"\\\x00-\x1f\x7f]*)*" )
  | (?P<atom>       [!#-'*-:<-~]+ | ; )
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"\(;|;\)")
_ESCAPE = re.compile(rb"\\(?:u\{([0-9a-fA-F_]{1,9})\}|([0-9a-fA-F]{2})|([tnr\"'\\])|)")
_SHORT_ESCAPES = {b"t": b"\t", b"n": b"\n", b"r": b"\r"}


def parse(text: str) -> list[Expr]:
    """All lists at the top level of `text`. Raises `ScriptError`."""
    return _Reader(text).read()


class _Reader:
    """One pass over a text; the lists still open are on a stack, so nesting has no limit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = Lines(text)

    def error(self, message: str, offset: int) -> ScriptError:
        return ScriptError(message, self.lines[offset])

    def read(self) -> list[Expr]:
        text, position = self.text, 0
        top = Expr(0)
        current, stack = top, []
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                raise self.error(f"unexpected character {text[position]!r}", position)
            start, position = token.span()
            match token.lastgroup:
                case "space":
                    continue
                case "comment":
                    position = self.skip_comment(start)
                case "annotation":
                    position = self.skip_annotation(start)
                case "open":
                    stack.append(current)
                    current = Expr(start)
                case "close":
                    if not stack:
                        raise self.error("unexpected )", start)
                    current.end = position
                    closed, current = current, stack.pop()
                    self.append(current, closed, closed.start)
                case "string":
                    self.append(current, self.string(token[0], start), start)
                case _:
                    self.append(current, token[0], start)
        if stack:
            raise self.error("( is never closed", current.start)
        return [self.top_level_list(item, at) for item, at in zip(top.items, top.offsets)]

    @staticmethod
    def append(parent: Expr, item: Node, offset: int) -> None:
        parent.items.append(item)
        parent.offsets.append(offset)

    def top_level_list(self, item: Node, offset: int) -> Expr:
        if not isinstance(item, Expr):
            raise self.error("expected (", offset)
        return item

    def skip_comment(self, start: int) -> int:
        """The end of the block comment, which may hold others, that begins at `start`."""
        depth, position = 0, start
        while edge := _COMMENT_EDGE.search(self.text, position):
            position = edge.end()
            depth += 1 if edge[0] == "(;" else -1
            if depth == 0:
                return position
        raise self.error("block comment is never closed", start)

    def skip_annotation(self, start: int) -> int:
        """The end of the annotation `(@id …)`, any balanced tokens, that begins at `start`."""
        depth, position = 1, start + 2
        while depth:
            token = _TOKEN.match(self.text, position)
            if token is None:
                raise self.error("annotation is never closed", start)
            position = token.end()
            match token.lastgroup:
                case "comment":
                    position = self.skip_comment(token.start())
                case "open" | "annotation":
                    depth += 1
                case "close":
                    depth -= 1
        return position

    def string(self, token: str, offset: int) -> str | bytes:
        """A string literal's bytes; a quoted identifier `$"…"` becomes the atom it stands for."""
        quoted = token.startswith("$")
        body = token[2:-1] if quoted else token[1:-1]
        try:
            value = _ESCAPE.sub(_unescape, body.encode())
            return f"${value.decode()}" if quoted else value
        except (ValueError, OverflowError):  # UnicodeError is a ValueError
            raise self.error(f"malformed string {token[:40]}", offset) from None


def _unescape(match: re.Match[bytes]) -> bytes:
    code_point, byte, short = match.groups()
    if code_point is not None:
        return chr(int(code_point, 16)).encode()
    if byte is not None:
        return bytes.fromhex(byte.decode())
    if short is None:
        raise ValueError("unknown escape")
    return _SHORT_ESCAPES.get(short, short)
