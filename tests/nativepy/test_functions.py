"""Functions: calls, inline expansion, specialisation, compile-time evaluation, pointers, tables."""

import ctypes
from enum import IntEnum

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import (
    address_of,
    boolean,
    const,
    constants,
    data,
    f64,
    fn,
    i32,
    inline,
    mirror,
    native,
    ptr,
    static,
    struct,
    type_of,
    u8,
    u32,
    u64,
    void,
)

from .support import compile_ir


class Color(IntEnum):
    RED = 3
    GREEN = 5


# -- calls and inline expansion ------------------------------------------------------------------


@native
def factorial(n: u32) -> u64:
    if n == 0:
        return 1
    return u64(n) * factorial(n - 1)


@inline
def larger(a, b):
    if a > b:
        return a
    return b


@inline
def bump(p: ptr[u32]) -> void:
    p[0] += 1


@inline
def clamp(x: i32, low, high) -> i32:
    if x < low:
        return low
    if x > high:
        return high
    x = larger(x, x)
    return x


@native(export="calls")
def calls(n: u32, out: ptr[u32]) -> u64:
    bump(out)
    if larger(n, 5) == 5:
        bump(out)
    return factorial(n) + u64(larger(out[0], 100))


@native(export="clamped")
def clamped(x: i32) -> i32:
    return clamp(x, -5, 10) + i32(larger(f64(x), 0.5))


@native(export="is_even", noinline=True)
def is_even(n: u32) -> boolean:
    if n == 0:
        return True
    return is_odd(n - 1)


@native(cold=True)
def is_odd(n: u32) -> boolean:
    if n == 0:
        return False
    return is_even(n - 1)


def test_calls_and_inline_expansion():
    library = Library(calls, clamped, is_even)
    counter = ctypes.c_uint32(0)
    assert library.calls(5, ctypes.addressof(counter)) == 120 + 100
    assert counter.value == 2
    assert library.calls(10, ctypes.addressof(counter)) == 3628800 + 100
    assert counter.value == 3
    assert [library.clamped(x) for x in (-9, 3, 99)] == [-5, 6, 109]
    assert [library.is_even(n) for n in range(5)] == [True, False, True, False, True]


# -- compile time --------------------------------------------------------------------------------


@native
def power(x: u64, exponent: const) -> u64:
    result: u64 = 1
    for _ in static(range(exponent)):
        result *= x
    return result


@native
def describe(flag: const) -> u32:
    if flag is True:
        return 1
    if isinstance(flag, float):
        return 2
    if isinstance(flag, int):
        return 3
    return 4


@native(export="specialised")
def specialised(x: u64) -> u64:
    return power(x, 2) + power(x, 5)


@native(export="kinds")
def kinds() -> u32:
    # 1, 1.0 and True are equal to Python, but not the same argument.
    return describe(True) * 1000 + describe(1.0) * 100 + describe(1) * 10 + describe("1")


def table_size(bits):
    return 1 << bits


LIMIT = 10
FEATURES = {"fast": True}


@native(export="folded")
def folded(x: u32) -> u32:
    if FEATURES["fast"] and LIMIT > 5:
        size: u32 = table_size(4) + len("abc")
    else:
        size = undefined_name  # noqa: F821 - not compiled
    if type_of(x) is u32:
        size += Color.GREEN
    return size + x * Color.RED


def make_adder(amount):
    @native(export=f"add_{amount}")
    def add(x: u32) -> u32:
        return x + amount

    return add


ADDERS = [make_adder(amount) for amount in (1, 10, 100)]


@native(export="add_all")
def add_all(x: u32) -> u32:
    for adder in static(ADDERS):
        x = adder(x)
    return x


def test_compile_time_values():
    library = Library(specialised, kinds, folded, add_all, *ADDERS)
    assert library.specialised(3) == 9 + 243
    assert library.kinds() == 1234
    assert library.folded(7) == 16 + 3 + 5 + 21
    assert library.add_all(1) == 112
    assert library.add_10(5) == 15


def test_only_reachable_functions_and_branches_are_compiled():
    text = compile_ir(specialised)
    assert text.count("define ") == 3  # itself, and a copy of `power` for each exponent
    assert "undefined_name" not in compile_ir(folded)


# -- tables and function pointers ----------------------------------------------------------------

SQUARES = constants(u32, [n * n for n in range(20)])
NAMES = data(b"red\0green\0")
ZEROS = constants(f64, [0.0, 1.5])
NEGATIVE_ZEROS = constants(f64, [-0.0, 1.5])


@native(export="lookup")
def lookup(n: u32) -> u32:
    return SQUARES[n] + SQUARES[2] + u32(NAMES[0])


@native(export="length")
def length(start: u32) -> u32:
    p: ptr[u8] = NAMES
    p = p + start
    n: u32 = 0
    while p[n] != 0:
        n += 1
    return n


@native(export="zero")
def zero(negative: boolean) -> f64:
    p: ptr[f64] = NEGATIVE_ZEROS if negative else ZEROS
    return p[0]


def test_tables():
    library = Library(lookup, length, zero)
    assert library.lookup(19) == 361 + 4 + ord("r")
    assert [library.length(0), library.length(4)] == [3, 5]
    assert str(library.zero(False)) == "0.0"
    assert str(library.zero(True)) == "-0.0"


def test_tables_check_their_values():
    with pytest.raises(ValueError, match="u8 cannot hold 256"):
        constants(u8, [1, 256])
    with pytest.raises(ValueError, match="i32 cannot hold"):
        constants(i32, [1 << 31])


@struct
class Visitor:
    visit: fn[[ptr["Visitor"], u32], u32]
    total: u32


@native(convention="c")
def add_visitor(v: ptr[Visitor], x: u32) -> u32:
    v.total += x
    return v.total


@native(convention="c")
def multiply_visitor(v: ptr[Visitor], x: u32) -> u32:
    v.total *= x
    return v.total


@native(export="prepare")
def prepare(v: ptr[Visitor], multiply: boolean) -> void:
    v.visit = address_of(multiply_visitor) if multiply else address_of(add_visitor)


@native(export="visit_all")
def visit_all(v: ptr[Visitor], n: u32) -> u32:
    last: u32 = 0
    if v.visit is None:
        return 12345
    for i in range(u32(1), n + 1):
        last = v.visit(v, i)
    return last


def test_function_pointers():
    library = Library(prepare, visit_all)
    layout = mirror(Visitor)
    v = layout()
    address = ctypes.addressof(v)
    assert library.visit_all(address, 5) == 12345
    library.prepare(address, False)
    assert library.visit_all(address, 10) == 55
    v.total = 1
    library.prepare(address, True)
    assert library.visit_all(address, 6) == 720
    callback = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)(lambda _, x: x)
    v.visit = ctypes.cast(callback, ctypes.c_void_p).value
    assert library.visit_all(address, 7) == 7
