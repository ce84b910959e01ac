"""WebAssembly calls Python: conversions, exceptions, nesting."""

import functools

import pytest

import wasmote
from wasmote import FuncType, LinkError, Trap, TrapKind, ValType, func

from .support import exports, module

CALLER = (
    '(import "env" "f" (func $f (param i32) (result i32)))'
    '(func (export "call") (param i32) (result i32) local.get 0 call $f)'
)
I32 = ValType.I32


def caller(callable: object):
    return exports(CALLER, {"env": {"f": callable}}).call


def test_a_python_function_is_called() -> None:
    assert caller(lambda x: x * 2)(21) == 42
    assert caller(lambda x: True)(0) == 1


def test_all_types_pass_both_ways() -> None:
    seen = []

    def record(*values: object) -> tuple[object, ...]:
        seen.append(values)
        return values

    types = "i32 i64 f32 f64 externref funcref"
    gets = "".join(f"local.get {i} " for i in range(6))
    call = exports(
        f'(import "env" "f" (func $f (param {types}) (result {types})))'
        f'(func (export "call") (param {types}) (result {types}) {gets} call $f)',
        {"env": {"f": record}},
    ).call
    values = (-1, -(2**63), 0.5, 1e300, "text", call)
    assert call(*values) == values
    assert seen == [values]
    assert call(1, 2, 3.0, 4.0, None, None) == (1, 2, 3.0, 4.0, None, None)


def test_more_parameters_than_fit_the_frame() -> None:
    types, gets = "i32 " * 40, "".join(f"local.get {i} " for i in range(40))
    call = exports(
        f'(import "env" "f" (func $f (param {types}) (result i32)))'
        f'(func (export "call") (param {types}) (result i32) {gets} call $f)',
        {"env": {"f": lambda *values: sum(values)}},
    ).call
    assert call(*range(40)) == sum(range(40))


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        ("no", TypeError, r"env\.f\(\): result must be an integer for i32, not str"),
        (None, TypeError, "must be an integer for i32, not NoneType"),
        (2**32, OverflowError, r"env\.f\(\): result must be from"),
        ((1, 2), TypeError, "must be an integer for i32, not tuple"),
    ],
)
def test_results_are_checked(result: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        caller(lambda x: result)(1)


def test_several_results_are_checked() -> None:
    def two(result: object):
        return exports(
            '(import "env" "f" (func $f (result i32 i64)))'
            '(func (export "call") (result i32 i64) call $f)',
            {"env": {"f": lambda: result}},
        ).call

    assert two((1, 2))() == (1, 2)
    assert two([1, 2])() == (1, 2)
    with pytest.raises(TypeError, match="must return 2 values, not 3"):
        two((1, 2, 3))()
    with pytest.raises(TypeError, match="must return 2 values, not int"):
        two(1)()
    with pytest.raises(TypeError, match="result 2 must be an integer for i64, not str"):
        two((1, "x"))()


def test_a_function_without_results_returns_none() -> None:
    text = '(import "env" "f" (func $f)) (func (export "call") call $f)'
    assert exports(text, {"env": {"f": lambda: None}}).call() is None
    with pytest.raises(TypeError, match=r"env\.f\(\) must return None, not int"):
        exports(text, {"env": {"f": lambda: 1}}).call()


class MineError(Exception):
    pass


def test_an_exception_passes_through_several_frames_unchanged() -> None:
    raised = MineError("deep")

    def fail(x: int) -> int:
        raise raised

    text = (
        '(import "env" "f" (func $f (param i32) (result i32)))'
        "(func $a (param i32) (result i32) local.get 0 call $f)"
        "(func $b (param i32) (result i32) local.get 0 call $a i32.const 1 i32.add)"
        '(func (export "c") (param i32) (result i32) local.get 0 call $b)'
    )
    e = exports(text, {"env": {"f": fail}})
    with pytest.raises(MineError) as caught:
        e.c(1)
    assert caught.value is raised
    names = [entry.name for entry in caught.traceback]
    assert names[-1] == "fail"
    # The instance is in working order afterwards.
    with pytest.raises(MineError):
        e.c(1)


def test_exceptions_through_python_and_webassembly_in_turn() -> None:
    depth_reached = []

    def step(x: int) -> int:
        if x == 0:
            depth_reached.append(True)
            raise MineError
        return call(x - 1)

    call = caller(step)
    with pytest.raises(MineError):
        call(20)
    assert depth_reached


def test_nested_calls_return_their_own_results() -> None:
    def step(x: int) -> int:
        return x if x == 0 else x + call(x - 1)

    call = caller(step)
    assert call(50) == sum(range(51))


def test_endless_nesting_ends_with_an_error() -> None:
    def step(x: int) -> int:
        return call(x + 1)

    call = caller(step)
    for _ in range(3):
        with pytest.raises((Trap, RecursionError)):
            call(0)
    assert caller(lambda x: x)(3) == 3


def test_endless_nesting_without_python_frames_ends_with_a_trap() -> None:
    again = functools.partial(print)
    text = '(import "env" "f" (func $f)) (func $g (export "g") call $f)'
    e = exports(text, {"env": {"f": again}})
    again.__setstate__((e.g, (), {}, {}))  # type: ignore[attr-defined]
    with pytest.raises(Trap, match="call stack exhausted"):
        e.g()


def test_a_missing_function_may_trap_when_called() -> None:
    instance = wasmote.Instance(module(CALLER), missing="trap")
    with pytest.raises(Trap) as caught:
        instance.exports.call(1)
    assert caught.value.kind is TrapKind.UNLINKED_IMPORT
    assert str(caught.value) == "failed to call unlinked import function (env, f)"
    assert [frame.function_name for frame in caught.value.frames] == ["call"]


def test_func_gives_a_callable_a_type() -> None:
    add = func(FuncType((I32, I32), (I32,)), lambda a, b: a + b, name="plus")
    assert add(1, 2) == 3
    assert add.name == "plus"
    with pytest.raises(TypeError, match=r"plus\(\): parameter 1 must be an integer"):
        add("1", 2)
    with pytest.raises(OverflowError, match=r"plus\(\): result must be from"):
        add(-(2**31), -1)
    with pytest.raises(TypeError, match="not callable"):
        func(FuncType(), 3)  # type: ignore[arg-type]


def test_a_func_of_another_type_does_not_link() -> None:
    with pytest.raises(LinkError, match=r"env\.f is function \(\) -> \(\), but"):
        caller(func(FuncType(), lambda: None))


def test_builtins_and_bound_methods_can_be_imported() -> None:
    numbers: list[int] = []
    text = (
        '(import "env" "f" (func $f (param i32)))'
        '(func (export "call") (param i32) local.get 0 call $f)'
    )
    call = exports(text, {"env": {"f": numbers.append}}).call
    for i in range(5):
        call(i)
    assert numbers == [0, 1, 2, 3, 4]


def test_a_host_function_may_drop_the_last_reference_to_the_instance() -> None:
    box: list[object] = []

    def drop(x: int) -> int:
        box.clear()
        return x + 1

    box.append(exports(CALLER, {"env": {"f": drop}}))
    assert box[0].call(1) == 2  # type: ignore[attr-defined]
    assert not box
