"""128-bit products: the machine's multiplication in place of WebAssembly's many.

Where a value is proven to be half of a product (`wide_products`), the product is computed instead.
Behind the call of a function that stores one (`product_functions`), a load from where it was stored
is that half, without a look at the memory, until something else may have been written.
"""

from wasmote.compile.function import Function
from wasmote.compile.instructions.numeric import load as plain_load
from wasmote.compile.instructions.numeric import numeric
from wasmote.compile.instructions.registry import HANDLED, Handler, handles
from wasmote.compile.product_functions import LOW, UPPER
from wasmote.compile.wide_products import ADD, TRACKED, Products
from wasmote.core.status import TrapCode
from wasmote.isa import INSTRUCTIONS, by_name

_MEMORY_END = 1 << 32
_LOAD = by_name("i64.load")
_SUM = by_name("i32.add").opcode
#: Of so many products, the last ones, the values are kept: more would only go to the native stack,
#: while they are in the module's memory anyway.
_NEAR = 3
#: In `Function.stored`: up to which offset an address is known not to wrap.
_NO_WRAP = -1
_NEUTRAL_FAMILIES = ("load", "numeric", "compare", "convert", "test")
_NEUTRAL_NAMES = (
    "nop", "block", "if", "br_if", "call", "drop", "select", "local.get", "local.set", "local.tee",
    "global.get", "global.set",
)  # fmt: skip
#: Instructions, by their first byte, that write to no memory and begin nothing that control comes
#: to from elsewhere; `call` looks at what it calls.
NEUTRAL = frozenset(
    {opcode for opcode, i in INSTRUCTIONS.items() if i.family in _NEUTRAL_FAMILIES and opcode < 256}
    | {by_name(name).opcode for name in _NEUTRAL_NAMES}
    | {by_name(f"{kind}.const").opcode for kind in ("i32", "i64", "f32", "f64")}
)


def product(f: Function, a: str, b: str) -> str:
    """The product of two i64 as an i128."""
    wide_a, wide_b = (f.value(f"zext i64 {x} to i128") for x in (a, b))
    return f.value(f"mul nuw i128 {wide_a}, {wide_b}")


def upper_half(f: Function, a: str, b: str) -> str:
    shifted = f.value(f"lshr i128 {product(f, a, b)}, 64")
    return f.value(f"trunc nuw i128 {shifted} to i64")


# -- in line ---------------------------------------------------------------------------------------


def tracked(opcode: int) -> Handler:
    """An instruction on i64, whose result is a half of a product in functions that have some."""
    plain = numeric(INSTRUCTIONS[opcode])

    def handler(f: Function) -> None:
        if f.products is None:
            plain(f)
            return
        a, b = f.values[-2:]
        plain(f)
        f.values[-1] = replaced(f, f.products, opcode, a, b)

    return handler


def replaced(f: Function, products: Products, opcode: int, a: str, b: str) -> str:
    """The result of an instruction, or what is the same and needs fewer multiplications."""
    result = f.values[-1]
    found = products.operate(opcode, a, b, result)
    if found is None:
        return result
    if not found.upper:
        return f.value(f"mul i64 {found.a}, {found.b}")
    result = upper_half(f, found.a, found.b)
    for value in found.rest:
        total = f.value(f"add i64 {result}, {value}")
        products.operate(ADD, result, value, total)
        result = total
    return result


for _opcode in TRACKED:
    HANDLED[_opcode] = tracked(_opcode)


# -- by calls --------------------------------------------------------------------------------------


def note_product(f: Function, arguments: list[str]) -> None:
    """A function that stores a product was called with these operands: so much is in memory."""
    address, low_a, upper_a, low_b, upper_b = arguments
    base, offset = f.sums.get(address, (address, 0))
    low = f.value(f"mul i64 {low_a}, {low_b}")
    upper = upper_half(f, low_a, low_b)
    for a, b in ((low_a, upper_b), (upper_a, low_b)):
        if "0" not in (a, b):
            upper = f.value(f"add i64 {upper}, {f.value(f'mul i64 {a}, {b}')}")
    for at in [key for key in f.stored if key[1] != _NO_WRAP and overlaps(key, base, offset)]:
        del f.stored[at]
    for at in [key for key in f.stored if key[1] != _NO_WRAP][: -2 * _NEAR]:
        del f.stored[at]
    f.stored[base, offset + LOW] = low, offset
    f.stored[base, offset + UPPER] = upper, offset


def overlaps(key: tuple[str, int], base: str, offset: int) -> bool:
    """Whether 16 bytes at an address may be among 8 bytes at another: it is another value, or
    less away.
    """
    distance = offset - key[1]
    return key[0] != base or not (8 <= distance % _MEMORY_END <= _MEMORY_END - 16)


_ADD = numeric(INSTRUCTIONS[_SUM])
_PLAIN_LOAD = plain_load(_LOAD)


@handles(_SUM)
def add(f: Function) -> None:
    number, base = f.values[-1], f.values[-2]
    _ADD(f)
    if f.expands_products and number.isdigit():
        f.sums[f.values[-1]] = base, int(number)


@handles(_LOAD.opcode)
def load(f: Function) -> None:
    if not (f.stored and loaded(f)):
        _PLAIN_LOAD(f)


def loaded(f: Function) -> bool:
    """Push what a load reads where a product was stored, if it does."""
    start, address = f.pos, f.values[-1]
    memory, offset = f.memarg()
    base, distance = f.sums.get(address, (address, 0))
    value, stored_at = f.stored.get((base, distance + offset), ("", 0))
    # The product went to the sum of two i32, which may wrap around. If this load's has no such
    # sum, it would be beyond the end of the memory then.
    if memory or not value or distance not in (0, stored_at):
        f.pos = start
        return False
    f.pop()
    if distance != stored_at:
        check_sum(f, base, stored_at)
    f.push("i64", value)
    return True


def check_sum(f: Function, base: str, offset: int) -> None:
    """Trap if an address and an offset are beyond what 32 bits can be."""
    key = base, _NO_WRAP
    if f.stored.get(key, ("", 0))[1] < offset:
        wraps = f.value(f"icmp ugt i32 {base}, {_MEMORY_END - 1 - offset - _MEMORY_END}")
        f.check(wraps, TrapCode.MEMORY_OUT_OF_BOUNDS)
        f.stored[key] = "", offset
