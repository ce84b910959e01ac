"""The library's functions under the names, and with the types, by which LLVM calls them: those of
compiler-rt and libgcc, of the C library's mathematics, and of ARM's own ABI.
"""

from collections.abc import Callable
from typing import Any

from wasmote.nativepy import (
    NativeFunction,
    Type,
    bitcast,
    f32,
    f64,
    i32,
    inline,
    native,
    splat,
    u32,
    u64,
    vec,
    with_lane,
)
from wasmote.nativepy.types import Float, Int, i64

from . import integers
from .floats import DOUBLE, SINGLE, narrowed, widened

FUNCTIONS: dict[str, NativeFunction] = {}
#: ARM's ABI passes floats like integers even where C does not.
ARM = "__aeabi_"


def define(
    name: str, body: Callable[..., Any], parameters: list[Type], result: Type, *more: str
) -> None:
    """A function of one or two numbers under its names; `body` is a nativepy function of the same
    parameters.
    """
    for symbol in (name, *more):
        convention = "aapcs" if symbol.startswith(ARM) else "c"
        options: dict[str, Any] = {
            "export": symbol, "no_builtins": True, "convention": convention
        }  # fmt: skip
        if len(parameters) == 1:
            FUNCTIONS[symbol] = _of_one(body, parameters[0], result, options)
        else:
            FUNCTIONS[symbol] = _of_two(body, *parameters, result, options)


def _of_one(body: Any, A: Type, result: Type, options: dict[str, Any]) -> NativeFunction:
    @native(**options)
    def function(a: A) -> result:
        return body(a)

    return function


def _of_two(body: Any, A: Type, B: Type, result: Type, options: dict[str, Any]) -> NativeFunction:
    @native(**options)
    def function(a: A, b: B) -> result:
        return body(a, b)

    return function


# -- integers ----------------------------------------------------------------------------------


def _division(T: Any, mode: str, quotient: Any, remainder: Any, arm: str) -> None:
    S = i64 if T is u64 else i32

    @inline
    def magnitude(a):
        return T(0) - T(a) if a < 0 else T(a)

    @inline
    def with_sign(negative, x):
        return S(T(0) - x) if negative else S(x)

    @inline
    def signed_quotient(a, b):
        return with_sign((a < 0) != (b < 0), quotient(magnitude(a), magnitude(b)))

    @inline
    def signed_remainder(a, b):
        return with_sign(a < 0, remainder(magnitude(a), magnitude(b)))

    @inline
    def plain_quotient(a, b):
        return quotient(a, b)

    @inline
    def plain_remainder(a, b):
        return remainder(a, b)

    define(f"__udiv{mode}3", plain_quotient, [T, T], T, *_arm(T, f"u{arm}div"))
    define(f"__umod{mode}3", plain_remainder, [T, T], T)
    define(f"__div{mode}3", signed_quotient, [S, S], S, *_arm(T, f"{arm}div"))
    define(f"__mod{mode}3", signed_remainder, [S, S], S)
    pair = vec[u64, 2] if T is u64 else u64

    @inline
    def both(q, r):
        """A structure of two numbers, as it is returned in registers."""
        if T is u32:
            return u64(r) << 32 | u64(q)
        else:
            return with_lane(with_lane(splat(pair, u64(0)), 0, u64(q)), 1, u64(r))

    @inline
    def plain_both(a, b):
        q = quotient(a, b)
        return both(q, a - q * b)

    @inline
    def signed_both(a, b):
        q = signed_quotient(a, b)
        return both(T(q), T(a - q * b))

    define(f"{ARM}u{arm}divmod", plain_both, [T, T], pair)
    define(f"{ARM}{arm}divmod", signed_both, [S, S], pair)


def _arm(T: Any, name: str) -> list[str]:
    """ARM's ABI has separate division of 32 bits only."""
    return [ARM + name] if T is u32 else []


def _integers() -> None:
    _division(u32, "si", integers.QUOTIENT_32, integers.REMAINDER_32, "i")
    _division(u64, "di", integers.QUOTIENT_64, integers.REMAINDER_64, "l")
    define("__mulsi3", integers.product_32, [u32, u32], u32)
    define("__muldi3", integers.product_64, [u64, u64], u64, f"{ARM}lmul")
    define("__ashldi3", integers.shift_left, [u64, u32], u64, f"{ARM}llsl")
    define("__lshrdi3", integers.shift_right, [u64, u32], u64, f"{ARM}llsr")
    define("__ashrdi3", integers.shift_right_signed, [u64, u32], u64, f"{ARM}lasr")
    define("__clzsi2", integers.leading_zeros, [u32], u32)
    define("__popcountsi2", integers.bits_set, [u32], u32)

    @inline
    def leading_zeros(x):
        upper = u32(x >> 32)
        if upper != 0:
            return integers.leading_zeros(upper)
        return integers.leading_zeros(u32(x)) + 32

    @inline
    def bits_set(x):
        return integers.bits_set(u32(x >> 32)) + integers.bits_set(u32(x))

    @inline
    def trailing_zeros(x):
        return integers.bits_set(~x & (x - 1))

    @inline
    def trailing_zeros_wide(x):
        low = u32(x)
        if low != 0:
            return integers.bits_set(~low & (low - 1))
        high = u32(x >> 32)
        return integers.bits_set(~high & (high - 1)) + 32

    define("__clzdi2", leading_zeros, [u64], u32)
    define("__popcountdi2", bits_set, [u64], u32)
    define("__ctzsi2", trailing_zeros, [u32], u32)
    define("__ctzdi2", trailing_zeros_wide, [u64], u32)


# -- floats ------------------------------------------------------------------------------------
_LETTERS: dict[Any, str] = {f32: "s", f64: "d"}
#: The sign of what is rounded away from zero, and whether to the nearest, even number.
_ROUNDING = {
    "floor": (1, False), "ceil": (0, False), "trunc": (None, False), "rint": (None, True),
    "nearbyint": (None, True), "roundeven": (None, True),
}  # fmt: skip


def _floats(F: Float) -> None:
    format = DOUBLE if F is f64 else SINGLE
    T, letter = format.type, _LETTERS[F]
    arm = ARM + ("d" if F is f64 else "f")

    def two(name: str, operation: NativeFunction, *more: str) -> None:
        @inline
        def body(a, b):
            return bitcast(F, operation(bitcast(T, a), bitcast(T, b)))

        define(f"__{name}{letter}f3", body, [F, F], F, *more)

    two("add", format.add, f"{arm}add")
    two("sub", format.subtract, f"{arm}sub")
    two("mul", format.multiply, f"{arm}mul")
    two("div", format.divide, f"{arm}div")
    suffix = "" if F is f64 else "f"

    @inline
    def root(a):
        return bitcast(F, format.square_root(bitcast(T, a)))

    define(f"sqrt{suffix}", root, [F], F)
    for name, (away, even) in _ROUNDING.items():
        _rounding(name + suffix, F, format, away, even)
    _comparisons(F, format, letter, arm)


def _rounding(name: str, F: Float, format: Any, away: int | None, even: bool) -> None:
    """`away`: the sign, 0 or 1, of those that are rounded away from zero."""
    T = format.type
    other = 1 if away is None else format.sign * (1 - away)

    @inline
    def body(a):
        bits = bitcast(T, a)
        if away is None and not even:
            return bitcast(F, format.rounded(bits, bits & format.sign, False))
        return bitcast(F, format.rounded(bits, T(other), even))

    define(name, body, [F], F)


def _comparisons(F: Float, format: Any, letter: str, arm: str) -> None:
    """-1, 0 or 1; for what is not a number, what makes the comparison false; for ARM 0 or 1."""
    T = format.type

    def gives(names: list[str], unordered: int) -> None:
        @inline
        def body(a, b):
            found = format.order(bitcast(T, a), bitcast(T, b))
            return i32(unordered) if found == 2 else found

        for name in names:
            define(f"__{name}{letter}f2", body, [F, F], i32)

    gives(["eq", "ne", "lt", "le", "cmp"], 1)
    gives(["ge", "gt"], -1)

    @inline
    def unordered(a, b):
        return i32(format.order(bitcast(T, a), bitcast(T, b)) == 2)

    define(f"__unord{letter}f2", unordered, [F, F], i32, f"{arm}cmpun")

    def is_one_of(name: str, *accepted: int) -> None:
        first, second = accepted[0], accepted[-1]

        @inline
        def body(a, b):
            found = format.order(bitcast(T, a), bitcast(T, b))
            return i32(found == first or found == second)  # noqa: SIM109

        define(f"{arm}cmp{name}", body, [F, F], i32)

    is_one_of("eq", 0)
    is_one_of("lt", -1)
    is_one_of("le", -1, 0)
    is_one_of("ge", 0, 1)
    is_one_of("gt", 1)


# -- conversions -------------------------------------------------------------------------------


def _conversions(F: Float, N: Int) -> None:
    format = DOUBLE if F is f64 else SINGLE
    T, letter = format.type, _LETTERS[F]
    signed, wide = N.signed, N.bits == 64
    unsigned = "" if signed else "un"
    mode = "di" if wide else "si"
    arm = "d" if F is f64 else "f"
    integer = ("" if signed else "u") + ("l" if wide else "i")

    @inline
    def to_float(a):
        negative = a < 0
        magnitude = u64(i64(0) - i64(a)) if negative else u64(a)
        return bitcast(F, format.from_integer(negative, magnitude))

    @inline
    def to_integer(a):
        bits = bitcast(T, a)
        magnitude = format.to_integer(bits)
        return N(u64(0) - magnitude if bits & format.sign != 0 else magnitude)

    define(f"__float{unsigned}{mode}{letter}f", to_float, [N], F, f"{ARM}{integer}2{arm}")
    fix = "" if signed else "uns"
    define(f"__fix{fix}{letter}f{mode}", to_integer, [F], N, f"{ARM}{arm}2{integer}z")


def _all() -> None:
    _integers()
    for F in (f32, f64):
        _floats(F)
        for N in (i32, u32, i64, u64):
            _conversions(F, N)

    @inline
    def to_double(a):
        return bitcast(f64, widened(bitcast(u32, a)))

    @inline
    def to_single(a):
        return bitcast(f32, narrowed(bitcast(u64, a)))

    define("__extendsfdf2", to_double, [f32], f64, f"{ARM}f2d")
    define("__truncdfsf2", to_single, [f64], f32, f"{ARM}d2f")


_all()
