"""Calling exported functions: conversions, results and error messages."""

import math
import struct

import pytest

import wasmote
from wasmote import Func, FuncType, Trap, TrapKind, ValType, func

from .support import exports, module

IDENTITY = "".join(
    f'(func (export "{t}") (param {t}) (result {t}) local.get 0)'
    for t in ("i32", "i64", "f32", "f64", "funcref", "externref")
)


@pytest.fixture(scope="module")
def identity():
    return exports(IDENTITY)


def test_a_call_adds_two_numbers() -> None:
    add = exports(
        '(func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)'
    ).add
    assert add(2, 3) == 5
    assert isinstance(add, Func)
    assert add.type == FuncType((ValType.I32, ValType.I32), (ValType.I32,))
    assert add.name == "add"
    assert repr(add) == "<wasmote.Func add (i32, i32) -> (i32)>"


def test_no_result_is_none_and_several_are_a_tuple() -> None:
    e = exports(
        '(func (export "none"))'
        '(func (export "two") (param i64) (result i64 f64 i32)'
        " local.get 0 f64.const 2.5 i32.const -1)"
    )
    assert e.none() is None
    assert e.two(2**40) == (2**40, 2.5, -1)


@pytest.mark.parametrize(
    ("type", "value", "result"),
    [
        ("i32", -(2**31), -(2**31)),
        ("i32", 2**31 - 1, 2**31 - 1),
        ("i32", 2**32 - 1, -1),
        ("i32", -1, -1),
        ("i32", True, 1),
        ("i64", -(2**63), -(2**63)),
        ("i64", 2**63 - 1, 2**63 - 1),
        ("i64", 2**63, -(2**63)),
        ("i64", 2**64 - 1, -1),
        ("i64", -1, -1),
        ("f32", 1.5, 1.5),
        ("f32", 3, 3.0),
        ("f32", 0.1, struct.unpack("<f", struct.pack("<f", 0.1))[0]),
        ("f32", 1e300, math.inf),
        ("f64", -1.0, -1.0),
        ("f64", 0.1, 0.1),
        ("f64", True, 1.0),
        ("f64", 2**60, float(2**60)),
    ],
)
def test_numbers(identity, type: str, value: object, result: object) -> None:
    got = identity[type](value)
    assert got == result
    assert got.__class__ is result.__class__


def test_nan_and_negative_zero(identity) -> None:
    assert math.isnan(identity.f64(math.nan))
    assert math.copysign(1, identity.f64(-0.0)) == -1
    assert math.copysign(1, identity.f32(-0.0)) == -1


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Real:
    def __float__(self) -> float:
        return 2.25


def test_objects_with_conversion_methods(identity) -> None:
    assert identity.i32(Index(7)) == 7
    assert identity.i64(Index(2**64 - 2)) == -2
    assert identity.f64(Real()) == 2.25
    assert identity.f32(Index(4)) == 4.0


@pytest.mark.parametrize(
    ("type", "value", "error", "message"),
    [
        ("i32", 2**32, OverflowError, r"i32\(\): parameter 1 must be from -2\*\*31 to 2\*\*32 - 1"),
        ("i32", -(2**31) - 1, OverflowError, "parameter 1"),
        ("i32", 10**50, OverflowError, "parameter 1"),
        ("i64", 2**64, OverflowError, r"i64\(\): parameter 1 must be from -2\*\*63 to 2\*\*64 - 1"),
        ("i64", -(2**63) - 1, OverflowError, "parameter 1"),
        ("i32", 1.5, TypeError, r"i32\(\): parameter 1 must be an integer for i32, not float"),
        ("i32", "1", TypeError, "must be an integer for i32, not str"),
        ("i64", None, TypeError, "must be an integer for i64, not NoneType"),
        ("f64", "1", TypeError, r"f64\(\): parameter 1 must be a number for f64, not str"),
        ("f32", [], TypeError, "must be a number for f32, not list"),
        ("f64", 10**320, OverflowError, "int too large"),
        ("funcref", print, TypeError, "must be a Func or None for funcref, not builtin_function"),
    ],
)
def test_values_that_do_not_fit(identity, type, value, error, message) -> None:
    with pytest.raises(error, match=message):
        identity[type](value)


def test_the_wrong_parameter_is_named() -> None:
    f = exports('(func (export "f") (param i32 i64 f32))').f
    with pytest.raises(TypeError, match=r"f\(\): parameter 2 must be an integer for i64, not str"):
        f(1, "two", 3.0)


def test_an_exception_of_a_conversion_method_is_kept(identity) -> None:
    class Bad:
        def __index__(self) -> int:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        identity.i32(Bad())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "takes 2 arguments but 0 were given"),
        ((1,), "takes 2 arguments but 1 was given"),
        ((1, 2, 3), "takes 2 arguments but 3 were given"),
    ],
)
def test_wrong_number_of_arguments(arguments: tuple[int, ...], message: str) -> None:
    f = exports('(func (export "f") (param i32 i32))').f
    with pytest.raises(TypeError, match=rf"f\(\) {message}"):
        f(*arguments)


def test_keywords_are_refused() -> None:
    f = exports('(func (export "f") (param i32))').f
    with pytest.raises(TypeError, match=r"f\(\) takes no keyword arguments"):
        f(a=1)


def test_references(identity) -> None:
    thing = object()
    assert identity.externref(thing) is thing
    assert identity.externref(None) is None
    assert identity.funcref(None) is None
    assert identity.funcref(identity.i32) is identity.i32
    other = func(FuncType((), ()), lambda: None)
    assert identity.funcref(other) is other


def test_call_bits_keeps_the_payload_of_a_nan(identity) -> None:
    assert identity.f32.call_bits(0x7FA0_0001) == (0x7FA0_0001,)
    assert identity.f64.call_bits(0xFFF0_0000_0000_0001) == (0xFFF0_0000_0000_0001,)
    assert identity.i32.call_bits(2**32 - 1) == (2**32 - 1,)
    assert identity.externref.call_bits("x") == ("x",)
    with pytest.raises(TypeError, match="takes 1 argument but 0 were given"):
        identity.f32.call_bits()


def test_many_parameters_and_results() -> None:
    n = 100
    params, gets = "i64 " * n, "".join(f"local.get {i} " for i in reversed(range(n)))
    reverse = exports(f'(func (export "r") (param {params}) (result {params}) {gets})').r
    assert reverse(*range(n)) == tuple(reversed(range(n)))


def test_a_trap_tells_kind_message_and_place() -> None:
    e = exports(
        "(func $inner (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s)"
        '(func (export "outer") (param i32) (result i32) local.get 0 i32.const 0 call $inner)'
    )
    with pytest.raises(Trap) as caught:
        e.outer(1)
    trap = caught.value
    assert trap.kind is TrapKind.DIVIDE_BY_ZERO
    assert trap.message == str(trap) == "integer divide by zero"
    assert [frame.function_name for frame in trap.frames] == ["inner", "outer"]
    inner, outer = (frame.offset for frame in trap.frames)
    assert 0 < inner < outer
    assert "inner" in trap.backtrace().splitlines()[0]


def test_the_same_export_is_the_same_object() -> None:
    e = exports('(func (export "a") (export "b"))')
    assert e.a is e.a is e["a"] is e.b


def test_exports_behave_as_a_namespace() -> None:
    e = exports(
        '(func (export "f")) (memory (export "a b") 1) (global (export "_owner") i32 (i32.const 4))'
    )
    assert list(e) == ["f", "a b", "_owner"]
    assert len(e) == 3
    assert "f" in e
    assert "g" not in e
    assert {"f", "a b"} <= set(dir(e))
    assert e["a b"].size == 1
    assert e["_owner"].value == 4
    with pytest.raises(AttributeError, match="there is no export 'g'"):
        _ = e.g
    with pytest.raises(KeyError):
        e["g"]


def test_functions_cannot_be_made_by_calling_the_type() -> None:
    with pytest.raises(TypeError, match="cannot create"):
        Func()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        object.__new__(Func)


def test_infinite_recursion_traps() -> None:
    e = exports('(func $f (export "f") call $f)')
    with pytest.raises(Trap, match="call stack exhausted"):
        e.f()
    with pytest.raises(Trap, match="call stack exhausted"):
        e.f()


def test_the_stack_size_bounds_recursion() -> None:
    text = (
        '(func $depth (export "depth") (param i32) (result i32)'
        " (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))"
        " (else (i32.add (i32.const 1) (call $depth (i32.sub (local.get 0) (i32.const 1)))))))"
    )
    loaded = module(text)
    small = wasmote.Instance(loaded, stack_size=1 << 16).exports.depth
    large = wasmote.Instance(loaded, stack_size=1 << 24).exports.depth
    assert small(100) == 100
    with pytest.raises(Trap, match="call stack exhausted"):
        small(100_000)
    assert large(100_000) == 100_000


@pytest.mark.parametrize(
    "options",
    [{"engine": "warp"}, {"missing": "maybe"}, {"stack_size": 0}, {"stack_size": 1 << 40}],
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        wasmote.Instance(module(""), **options)  # type: ignore[arg-type]
