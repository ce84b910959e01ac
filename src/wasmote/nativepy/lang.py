"""What nativepy source is written with: decorators, compile-time data and intrinsics.

None of this computes anything in CPython; the compiler gives it meaning.
"""

from collections.abc import Callable, Sequence

from .types import Float, Int, Type

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any


class Const:
    """Annotation of a parameter whose argument is a Python value known at compile time."""


const = Const()


class NativeFunction:
    """A function that the compiler can translate.

    `export` gives it the C calling convention and that symbol. `convention` is "c", "aapcs" (ARM's,
    with floats in integer registers), "fast" (internal) or "handler" (many registers, none saved:
    for interpreter handlers). `on_trap` is the inline function that `trap_if` leaves through; it
    gets the trap code, then this function's arguments.
    """

    def __init__(
        self, function: Callable[..., "Any"], inline: bool = False, **options: "Any"
    ) -> None:
        self.function, self.inline = function, inline
        self.export: str | None = options.pop("export", None)
        self.convention: str = options.pop("convention", "c" if self.export else "fast")
        self.name: str = (
            options.pop("name", None)
            or self.export
            or function.__qualname__.replace(".<locals>", "")
        )
        self.on_trap: NativeFunction | None = options.pop("on_trap", None)
        #: Of handlers: says when the set is compiled whether this one is; None: always.
        self.wanted: Callable[[], bool] | None = None
        flags = {"cold": "cold", "noinline": "noinline", "no_builtins": '"no-builtins"'}
        #: `no_builtins` keeps LLVM from taking a loop for the function that it implements (memcpy).
        self.attributes: str = " ".join(
            text for flag, text in flags.items() if options.pop(flag, False)
        )
        if options:
            raise TypeError(f"unknown options of native: {', '.join(options)}")
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    def __call__(self, *arguments: "Any") -> "Any":
        """Evaluate the function in CPython (for the tests of the language itself)."""
        return self.function(*arguments)

    def __repr__(self) -> str:
        return f"<native {self.name}>"


def native(function: Callable[..., "Any"] | None = None, **options: "Any") -> "Any":
    """Decorator: a native function. See `NativeFunction` for the options."""
    if function is None:
        return lambda f: NativeFunction(f, **options)
    return NativeFunction(function, **options)


def inline(function: Callable[..., "Any"]) -> NativeFunction:
    """Decorator: a function expanded where it is called.

    Parameters without annotation take the types of their arguments.
    """
    return NativeFunction(function, inline=True)


class ConstantTable:
    """A read-only array in the image; in code, a pointer to its first element."""

    def __init__(self, element: Int | Float, values: Sequence[int | float]) -> None:
        self.element, self.values = element, tuple(values)
        if isinstance(element, Int):
            for value in self.values:
                if element(int(value)) != value:
                    raise ValueError(f"a table of {element} cannot hold {value}")

    def __getitem__(self, index: int) -> int | float:
        return self.values[index]

    def __len__(self) -> int:
        return len(self.values)


def constants(element: Int | Float, values: Sequence[int | float]) -> ConstantTable:
    """A table of constants for use in native code."""
    return ConstantTable(element, values)


def data(raw: bytes) -> ConstantTable:
    """Constant bytes for use in native code."""
    from .types import u8

    return ConstantTable(u8, raw)


class Intrinsic:
    """A name that the compiler knows; see `intrinsics.py` for what it becomes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<intrinsic {self.name}>"

    def __call__(self, *arguments: "Any") -> "Any":
        raise TypeError(f"{self.name} has a meaning only in native code")


class HandlerSet:
    """Interpreter handlers that chain by `dispatch`; a handler's index is its opcode.

    On targets with guaranteed tail calls each is a function and a table in memory holds their
    addresses (argument number `table_parameter` of every handler); elsewhere they are the cases of
    one switch. All handlers have the same parameters.
    """

    def __init__(self, name: str, table_parameter: int) -> None:
        self.name, self.table_parameter = name, table_parameter
        self.handlers: list[NativeFunction] = []

    def add(self, handler: NativeFunction) -> int:
        """Register a handler; returns its opcode."""
        self.handlers.append(handler)
        return len(self.handlers) - 1


def static(sequence: Sequence["Any"]) -> Sequence["Any"]:
    """`for x in static(items)`: the loop is unrolled at compile time."""
    return sequence


def _intrinsics(names: str) -> list[Intrinsic]:
    return [Intrinsic(name) for name in names.split()]


sizeof, offsetof, addr, stack, load, store, copy, fill = _intrinsics(
    "sizeof offsetof addr stack load store copy fill"
)
sdiv, srem, clz, ctz, popcnt, rotl, rotr = _intrinsics("sdiv srem clz ctz popcnt rotl rotr")
sqrt, floor, ceil, trunc, nearest, copysign, fabs = _intrinsics(
    "sqrt floor ceil trunc nearest copysign fabs"
)
bitcast, address_of, tail, trap_if, unreachable = _intrinsics(
    "bitcast address_of tail trap_if unreachable"
)
likely, unlikely, volatile_load, volatile_store = _intrinsics(
    "likely unlikely volatile_load volatile_store"
)
atomic_load, atomic_store, atomic_exchange, atomic_compare_exchange, fence = _intrinsics(
    "atomic_load atomic_store atomic_exchange atomic_compare_exchange fence"
)
(order_after,) = _intrinsics("order_after")
atomic_add, atomic_sub, atomic_and, atomic_or, atomic_xor = _intrinsics(
    "atomic_add atomic_sub atomic_and atomic_or atomic_xor"
)
lane, with_lane, splat, in_lane0, float_to_int_sat = _intrinsics(
    "lane with_lane splat in_lane0 float_to_int_sat"
)
select, shuffle, swizzle, mask, lane_bits, all_lanes = _intrinsics(
    "select shuffle swizzle mask lane_bits all_lanes"
)
add_sat, sub_sat = _intrinsics("add_sat sub_sat")
dispatch, enter, handler_offset = _intrinsics("dispatch enter handler_offset")
target_machine, is_big_endian = _intrinsics("target_machine is_big_endian")
load_le, store_le, little = _intrinsics("load_le store_le little")


def type_of(value: "Any") -> Type:
    """Compile time: the type of an expression."""
    raise TypeError("type_of has a meaning only in native code")
