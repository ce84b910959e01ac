"""The exceptions that Wasmote raises.

Everything derives from `WasmoteError`, so one `except` clause is enough to guard a plug-in.
A Python exception raised by a host function is never wrapped: it reaches the outer caller as is.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import pairwise

from wasmote.types import Record

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.dwarf.sources import Source

#: Finds the source lines of an offset in a module's binary.
Origin = Callable[[int], "tuple[Source, ...]"]


class WasmoteError(Exception):
    """Base class of all errors of this package."""


class ModuleError(WasmoteError):
    """A module was refused while loading.

    `offset` is the byte offset in the binary at which the problem was noticed.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset:#x})")
        self.message = message
        self.offset = offset


class DecodeError(ModuleError):
    """The bytes are not a WebAssembly module (spec: malformed)."""


class ValidationError(ModuleError):
    """The module is well formed but breaks a validation rule (spec: invalid)."""


class LimitError(ModuleError):
    """The module asks for more than the limits of this runtime allow."""


class SignatureError(ModuleError):
    """A module is not signed with a key that was asked for, or was altered afterwards."""


class CompileError(WasmoteError):
    """The compiler does not do what the module or the command asks for; says what."""


class LinkError(WasmoteError):
    """An import is missing or has another type than the module expects."""


class TrapKind(StrEnum):
    """Why WebAssembly code stopped; the value is the message of the specification's test suite."""

    UNREACHABLE = "unreachable"
    MEMORY_OUT_OF_BOUNDS = "out of bounds memory access"
    TABLE_OUT_OF_BOUNDS = "out of bounds table access"
    DIVIDE_BY_ZERO = "integer divide by zero"
    INTEGER_OVERFLOW = "integer overflow"
    INVALID_CONVERSION = "invalid conversion to integer"
    UNDEFINED_ELEMENT = "undefined element"
    UNINITIALIZED_ELEMENT = "uninitialized element"
    INDIRECT_CALL_TYPE_MISMATCH = "indirect call type mismatch"
    STACK_OVERFLOW = "call stack exhausted"
    OUT_OF_MEMORY = "out of memory"
    UNLINKED_IMPORT = "failed to call unlinked import function"
    INTERRUPTED = "interrupted"
    UNTRANSLATABLE = "function is too large for this engine"
    NULL_REFERENCE = "null reference"
    NULL_FUNCTION_REFERENCE = "null function reference"
    NULL_STRUCTURE_REFERENCE = "null structure reference"
    NULL_ARRAY_REFERENCE = "null array reference"
    NULL_I31_REFERENCE = "null i31 reference"
    CAST_FAILURE = "cast failure"
    ARRAY_OUT_OF_BOUNDS = "out of bounds array access"
    NULL_EXCEPTION_REFERENCE = "null exception reference"
    UNALIGNED_ATOMIC = "unaligned atomic"
    UNSHARED_MEMORY = "expected shared memory"
    APP_HEAP_CORRUPTED = "app heap corrupted"
    OUT_OF_FUEL = "all fuel consumed"
    DEADLINE = "deadline exceeded"
    TERMINATED = "terminated by user"
    #: `message` says why.
    HOST = "ended by a host function"


class Frame(Record):
    """One WebAssembly frame of a trap's backtrace, innermost first.

    `offset` is the byte offset of the instruction in the module's binary, `sources` says where that
    comes from, if the module has debug information (DWARF).
    """

    __slots__ = ("_origin", "function_index", "function_name", "module_name", "offset")
    __match_args__ = ("function_index", "function_name", "offset", "module_name")
    function_index: int
    function_name: str | None
    offset: int
    module_name: str
    _origin: "Origin | None"

    def __init__(
        self,
        function_index: int,
        function_name: str | None,
        offset: int,
        module_name: str = "",
        origin: "Origin | None" = None,
    ) -> None:
        self._set(function_index, function_name, offset, module_name)
        object.__setattr__(self, "_origin", origin)

    @property
    def sources(self) -> "tuple[Source, ...]":
        """Places in source texts: that of the instruction, and if the function that it was written
        in was inlined, where, and so on. Read when it is asked for; empty if it is not known.
        """
        return self._origin(self.offset) if self._origin else ()

    @property
    def source(self) -> "Source | None":
        """The place in a source text that the instruction comes from, if that is known."""
        return next(iter(self.sources), None)

    def brief(self) -> str:
        """The frame as `iwasm` shows it."""
        return f"{self.offset:#06x} - {self.function_name or f'$f{self.function_index}'}"

    def __str__(self) -> str:
        """The frame as `iwasm` shows it, and its source line, if that is known."""
        text = self.brief()
        sources = self.sources
        if sources:
            inlined = [f"{a.function}, inlined at {b}" for a, b in pairwise(sources)]
            text += f" at {sources[0]}" + (f" ({', '.join(inlined)})" if inlined else "")
        return text


def backtrace(frames: Sequence[Frame], omitted: int = 0, *, brief: bool = False) -> str:
    """Frames, a line a frame, and how many more there are; `brief` leaves out source lines."""
    lines = [f"#{i:02}: {frame.brief() if brief else frame}" for i, frame in enumerate(frames)]
    return "\n".join([*lines, f"... {omitted} more"] if omitted else lines)


class Trap(WasmoteError):
    """WebAssembly code trapped.

    `frames` is the backtrace, innermost frame first, and `omitted` how many frames further out it
    leaves out (at most a million are counted).
    """

    def __init__(
        self,
        kind: TrapKind,
        message: str | None = None,
        frames: tuple[Frame, ...] = (),
        omitted: int = 0,
    ):
        super().__init__(message or kind.value)
        self.kind = kind
        self.message = message or kind.value
        self.frames = frames
        self.omitted = omitted

    def backtrace(self) -> str:
        """The backtrace, a line a frame, with source lines if the module has them."""
        return backtrace(self.frames, self.omitted)
