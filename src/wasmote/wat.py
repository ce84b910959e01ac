"""The text format: one place that turns `.wat` source into a binary module.

Wasmote runs binaries and has no assembler of its own. Where text is needed (test scripts,
examples, a `.wat` file given to the command line) the assembler of the PyPI package `wasmtime`
does the work; the package is optional: `pip install 'wasmote[wat]'`.
"""

import re

from wasmote.errors import WasmoteError

#: The first eight bytes of a core module, version 1 (spec: Binary Format, Modules).
_PREAMBLE = b"\0asm\x01\0\0\0"

#: Characters that turn the reading direction. The text format allows them in strings and comments
#: but the assembler refuses them, as they may make source look like what it is not.
_DIRECTION = re.compile(r"(?<!\\)[\u202a\u202b\u202d\u202e\u2066-\u2069\u206c]")


class WatError(WasmoteError):
    """The text is not a module in the text format.

    `line` and `column` count from 1 in the text that was given; None where unknown.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.message = message
        self.line = line
        self.column = column


class AssemblerMissingError(WasmoteError):
    """The optional package with the assembler is not installed."""


def wat2wasm(text: str | bytes) -> bytes:
    """Assemble a module from the text format (spec: Text Format).

    `text` is one `(module …)`, or only its fields; bytes are UTF-8. The result is not validated.
    Raises `WatError` for text that cannot be assembled, `AssemblerMissingError` without the
    `wasmtime` package.
    """
    try:
        import wasmtime
    except ImportError as error:
        raise AssemblerMissingError(
            "assembling the text format needs the package wasmtime: pip install 'wasmote[wat]'"
        ) from error
    source = _utf8(text) if isinstance(text, bytes) else text
    source = _DIRECTION.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", source)
    if not source.strip():
        return _PREAMBLE  # fields of a module without any field; the assembler wants one
    try:
        binary = bytes(wasmtime.wat2wasm(source))
    except UnicodeEncodeError as error:
        raise WatError(f"malformed UTF-8 encoding: {error.reason}") from error
    except wasmtime.WasmtimeError as error:
        raise _wat_error(str(error)) from error
    if not binary.startswith(_PREAMBLE):
        raise WatError("this is a component; Wasmote runs core modules")
    return binary


def _utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise WatError(f"malformed UTF-8 encoding: {error.reason}", line) from error


def _wat_error(report: str) -> WatError:
    """Take the assembler's report, a message with a drawing of the place, apart."""
    message = report.partition("\n")[0].strip()
    place = re.search(r"--> .*:(\d+):(\d+)$", report, re.MULTILINE)
    if place is None:
        return WatError(message)
    return WatError(message, int(place[1]), int(place[2]))
