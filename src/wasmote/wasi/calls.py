"""How WASI functions are declared and called.

A function is declared once: its annotations give the WebAssembly type of each parameter.
It gets unsigned (or, for `S64`, signed) integers, returns nothing, and gives up by raising
`CallError` or an `OSError` of the host; `bind` turns that into what a guest calls.
"""

from collections.abc import Callable
from operator import and_

from wasmote.types import FuncType, ValType
from wasmote.wasi.abi import EINVAL, ESUCCESS, Layout, errno_of
from wasmote.wasi.descriptors import Table
from wasmote.wasi.errors import CallError
from wasmote.wasi.guest import Guest

# Arguments arrive as signed integers of the parameter's width; `mask` makes them what they mean.


class U32(int):
    """An i32 parameter that means an unsigned number: a size, a descriptor, flags."""

    mask = 0xFFFF_FFFF
    type = ValType.I32


class Pointer(U32):
    """An i32 parameter that is an address in the guest's memory."""


class U64(int):
    """An i64 parameter that means an unsigned number: a time, rights, a size."""

    mask = 0xFFFF_FFFF_FFFF_FFFF
    type = ValType.I64


class S64(int):
    """An i64 parameter that means a signed number."""

    mask = -1
    type = ValType.I64


class Strings:
    """Arguments or environment: NUL-terminated strings, as the guest gets them."""

    __slots__ = ("count", "data", "offsets")

    def __init__(self, strings: list[bytes]) -> None:
        self.count = len(strings)
        self.data = b"".join(string + b"\0" for string in strings)
        self.offsets: list[int] = []
        offset = 0
        for string in strings:
            self.offsets.append(offset)
            offset += len(string) + 1


class State:
    """What the functions of a `Wasi` work on. Its two versions share all but `layout`."""

    __slots__ = ("args", "environ", "guest", "layout", "table")

    def __init__(
        self, layout: Layout, guest: Guest, table: Table, args: Strings, environ: Strings
    ) -> None:
        self.layout = layout
        self.guest = guest
        self.table = table
        self.args = args
        self.environ = environ


Function = Callable[..., None]

#: Every WASI function by its name.
FUNCTIONS: dict[str, Function] = {}


def wasi_function(function: Function) -> Function:
    """Declare a function of the interface under its own name."""
    FUNCTIONS[function.__name__] = function
    return function


def bind(function: Function, state: State) -> Callable[..., int]:
    """The host function that a guest calls; its `type` attribute is its WebAssembly type."""
    annotations = function.__annotations__.items()
    kinds = [kind for name, kind in annotations if name not in ("state", "return")]
    masks = tuple(kind.mask for kind in kinds)

    def call(*arguments: int) -> int:
        try:
            function(state, *map(and_, arguments, masks))
        except CallError as error:
            return error.errno
        except OSError as error:
            return errno_of(error)
        return ESUCCESS

    results = () if function.__name__ == "proc_exit" else (ValType.I32,)
    call.__name__ = call.__qualname__ = function.__name__
    call.__dict__["type"] = FuncType(tuple(kind.type for kind in kinds), results)
    return call


def file_offset(number: int) -> int:
    """`number` if a file can be that large. Raises EINVAL."""
    if number > 0x7FFF_FFFF_FFFF_FFFF:
        raise CallError(EINVAL)
    return number
