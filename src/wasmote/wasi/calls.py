"""How WASI functions are declared and called.

A function is declared once: its annotations give the WebAssembly type of each parameter.
It gets unsigned (or, for `S64`, signed) integers, returns nothing, and gives up by raising
`CallError` or an `OSError` of the host; `HostFunction` turns that into what a guest calls.
"""

from collections.abc import Callable
from operator import and_

from wasmote.api.caller import current_memory
from wasmote.api.func import Bindable, Func, make_host_func
from wasmote.errors import LinkError
from wasmote.types import FuncType, ValType
from wasmote.wasi.abi import EINVAL, ESUCCESS, Layout, errno_of
from wasmote.wasi.descriptors import Table
from wasmote.wasi.errors import CallError
from wasmote.wasi.guest import Guest
from wasmote.wasi.hot_calls import HOT
from wasmote.wasi.network import Network

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


class Program:
    """What the program of a `Wasi` has; threads and both versions of the interface share it."""

    __slots__ = ("args", "environ", "guest", "network", "table")

    def __init__(self, args: Strings, environ: Strings, network: Network) -> None:
        self.args = args
        self.environ = environ
        self.network = network
        self.table = Table()
        #: The memory that pointers mean, whoever calls; None: that of the caller.
        self.guest: Guest | None = None


class State:
    """What a function works on during one call."""

    __slots__ = ("args", "environ", "guest", "layout", "network", "table")

    def __init__(self, program: Program, layout: Layout) -> None:
        self.layout = layout
        self.guest = program.guest or Guest(current_memory() or _NO_MEMORY)  # type: ignore[arg-type]
        self.network = program.network
        self.table = program.table
        self.args = program.args
        self.environ = program.environ


Function = Callable[..., None]
_NO_MEMORY = bytearray()

#: Every WASI function by its name.
FUNCTIONS: dict[str, Function] = {}


def wasi_function(function: Function) -> Function:
    """Declare a function of the interface under its own name."""
    FUNCTIONS[function.__name__] = function
    return function


class HostFunction(Bindable):
    """A function of one `Wasi`, for modules to import, or to be called."""

    __slots__ = ("_call", "_program", "name", "type")

    def __init__(self, function: Function, program: Program, layout: Layout) -> None:
        self.name = function.__name__
        self._program = program
        annotations = function.__annotations__.items()
        kinds = [kind for name, kind in annotations if name not in ("state", "return")]
        results = () if self.name == "proc_exit" else (ValType.I32,)
        self.type = FuncType(tuple(kind.type for kind in kinds), results)
        masks = tuple(kind.mask for kind in kinds)

        def call(*arguments: int) -> int:
            try:
                function(State(program, layout), *map(and_, arguments, masks))
            except CallError as error:
                return error.errno
            except OSError as error:
                return errno_of(error)
            return ESUCCESS

        self._call = call

    def __call__(self, *arguments: int) -> int:
        """Call it as a program would, with the numbers of its type. Returns the errno."""
        return self._call(*arguments)

    def bind(self, type: FuncType, label: str) -> Func:
        """The function for an import. Raises LinkError if that is of another type."""
        if type != self.type:
            raise LinkError(
                f"incompatible import type: {label} is a function {self.type}, "
                f"but the module needs a function {type}"
            )
        made = make_host_func(type, self._call, label)
        if self.name in HOT:
            self._program.table.hot.connect(made, self.name)
        return made


def file_offset(number: int) -> int:
    """`number` if a file can be that large. Raises EINVAL."""
    if number > 0x7FFF_FFFF_FFFF_FFFF:
        raise CallError(EINVAL)
    return number
