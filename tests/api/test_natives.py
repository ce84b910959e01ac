"""Native functions in Python: letters, annotations, callers."""

import gc
import random
import threading
from typing import Any

import pytest

from wasmote import Caller, Instance, LinkError, Natives, Trap, TrapKind

from .support import module

MEMORY = (
    '(memory (export "memory") 1) (data (i32.const 16) "hello\\00") (data (i32.const 65534) "xy")'
)


def calling(kind: str, arguments: str, extra: str = MEMORY) -> str:
    """A module whose `go` calls the import `env.f` of a type with constant arguments."""
    return f'(import "env" "f" (func $f {kind})) {extra} (func (export "go") {arguments})'


def run(natives: Natives, text: str, **options: Any) -> Any:
    return Instance(module(text), natives.imports(), **options).exports.go()


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_a_buffer_and_a_string(engine: str) -> None:
    natives = Natives("env")
    seen = []

    @natives.function("(*~$)i", name="f")
    def save(data: memoryview, name: str) -> int:
        seen.append((bytes(data), name))
        data[0] = ord("J")
        return len(data)

    text = calling(
        "(param i32 i32 i32) (result i32)",
        "(result i32) (call $f (i32.const 16) (i32.const 4) (i32.const 18))",
    )
    instance = Instance(module(text), natives.imports(), engine=engine)
    assert instance.exports.go() == 4
    assert seen == [(b"hell", "llo")]
    assert instance.exports.memory.read(16, 5) == b"Jello"


def test_numbers_of_all_kinds_and_references() -> None:
    natives = Natives("env")
    natives.function("(iIfFr)F", name="f")(lambda a, b, c, d, e: a + b + c + d + len(e))
    text = (
        '(import "env" "f" (func $f (param i32 i64 f32 f64 externref) (result f64)))'
        '(func (export "go") (param externref) (result f64)'
        "  (call $f (i32.const -1) (i64.const 10) (f32.const 0.5) (f64.const 0.25) (local.get 0)))"
    )
    assert Instance(module(text), natives.imports()).exports.go("abc") == 12.75


def test_a_pointer_alone_leads_to_the_end_of_memory() -> None:
    natives = Natives("env")
    natives.function("(*)i", name="f")(len)
    text = calling("(param i32) (result i32)", "(result i32) (call $f (i32.const 65530))")
    assert run(natives, text) == 6


OUTSIDE = [
    ("*~", "(i32.const 65535) (i32.const 2)"),
    ("*~", "(i32.const 65537) (i32.const 0)"),
    ("*~", "(i32.const 0) (i32.const -1)"),
    ("*~", "(i32.const -1) (i32.const 1)"),
    ("*", "(i32.const 65536)"),
    ("*", "(i32.const -1)"),
    ("$", "(i32.const 65536)"),
    ("$", "(i32.const 65534)"),
    ("$", "(i32.const -2147483648)"),
]


@pytest.mark.parametrize(("letters", "arguments"), OUTSIDE)
def test_pointers_out_of_memory_trap(letters: str, arguments: str) -> None:
    natives = Natives("env")
    natives.function(f"({letters})", name="f")(lambda *_: pytest.fail("called"))
    params = " ".join(["i32"] * len(letters))
    text = calling(f"(param {params})", f"(call $f {arguments})")
    with pytest.raises(Trap) as caught:
        run(natives, text)
    assert caught.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert caught.value.frames[0].function_name == "go"


def test_an_empty_buffer_may_be_at_the_end_of_memory() -> None:
    natives = Natives("env")
    natives.function("(*~)i", name="f")(len)
    text = calling(
        "(param i32 i32) (result i32)",
        "(result i32) (call $f (i32.const 65536) (i32.const 0))",
    )
    assert run(natives, text) == 0


def test_pointers_to_a_64_bit_memory() -> None:
    natives = Natives("env")
    natives.function("(*~$)i", name="f")(lambda data, text: len(data) + len(text))
    text = calling(
        "(param i64 i32 i64) (result i32)",
        "(param i64) (result i32) (call $f (i64.const 16) (i32.const 3) (local.get 0))",
        '(memory (export "memory") i64 1) (data (i64.const 16) "hello\\00")',
    )
    go = Instance(module(text), natives.imports()).exports.go
    assert go(16) == 8
    for wrong in (-1, 1 << 32, 1 << 63, 65536):
        with pytest.raises(Trap):
            go(wrong)


def test_strings_are_utf8_and_lose_nothing() -> None:
    natives = Natives("env")
    seen = []
    natives.function("($)", name="f")(seen.append)
    memory = '(memory 1) (data (i32.const 0) "gr\\c3\\bc\\c3\\9fe \\ff\\00")'
    run(natives, calling("(param i32)", "(call $f (i32.const 0))", memory))
    assert seen == ["grüße \udcff"]


def test_annotations_say_the_same() -> None:
    natives = Natives("env")

    @natives.function
    def f(data: bytes, name: str, big: int, real: float, flag: bool) -> float:
        assert isinstance(data, bytes) and flag is True
        return len(data) + len(name) + big + real

    text = calling(
        "(param i32 i32 i32 i64 f32 i32) (result f32)",
        "(result f32) (call $f (i32.const 16) (i32.const 2) (i32.const 16)"
        " (i64.const 5000000000) (f32.const 0.5) (i32.const 7))",
    )
    assert run(natives, text) == 5000000000.0  # as an f32


def test_several_results() -> None:
    natives = Natives("env")

    @natives.function
    def f(a: int, b: int) -> tuple[int, int]:
        return divmod(a, b)

    text = calling(
        "(param i32 i32) (result i32 i32)",
        "(result i32 i32) (call $f (i32.const 17) (i32.const 5))",
    )
    assert run(natives, text) == (3, 2)


def test_the_caller_its_data_and_the_attachment() -> None:
    natives = Natives("env")
    seen: list[Any] = []

    @natives.function(attachment="attached")
    def f(caller: Caller, n: int) -> None:
        seen.append((caller.attachment, caller.user_data, n, caller.instance, caller.module))
        seen.append(caller.call_stack()[0].function_name)
        caller.user_data = n

    instance = Instance(
        module(calling("(param i32)", "(call $f (i32.const 5))")), natives.imports()
    )
    instance.user_data = {"mine": 1}
    instance.exports.go()
    assert seen == [("attached", {"mine": 1}, 5, instance, instance.module), "go"]
    assert instance.user_data == 5


def test_each_instance_has_its_own_data() -> None:
    natives = Natives("env")
    seen: list[object] = []
    natives.function("()", name="f")(lambda: None)

    @natives.function(name="f")
    def note(caller: Caller) -> None:
        seen.append(caller.user_data)

    code = module(calling("", "(call $f)"))
    instances = [Instance(code, natives.imports()) for _ in range(3)]
    for i, instance in enumerate(instances):
        instance.user_data = i
    for instance in reversed(instances):
        instance.exports.go()
    assert seen == [2, 1, 0]


def test_raw_functions_work_on_cells() -> None:
    natives = Natives("env")

    @natives.raw("(iI)I", name="f")
    def raw(caller: Caller, cells: memoryview) -> None:
        assert caller.memory.size == 1
        assert list(cells) == [7, 2, 1]
        cells[0], cells[1] = 5, 6

    text = calling(
        "(param i32 i64) (result i64)",
        "(result i64) (call $f (i32.const 7) (i64.const 0x100000002))",
    )
    assert run(natives, text) == 0x6_0000_0005


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("i", "expected .PARAMETERS.RESULTS"),
        ("", "expected .PARAMETERS.RESULTS"),
        ("(i", "expected .PARAMETERS.RESULTS"),
        ("x(i)i", "expected .PARAMETERS.RESULTS"),
        ("(q)i", "no letter 'q'; there are iIfFr"),
        ("(i)x", "no letter 'x'"),
        ("(~)i", "~ tells the size of a .*missing"),
        ("(i~)", "~ tells the size"),
        ("(*~~)", "~ tells the size"),
        ("(i)$", r"\$ cannot be a result"),
        ("(i)i)", r"no letter '\)'"),
    ],
)
def test_wrong_letters_are_refused_at_registration(signature: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Natives().function(signature)(print)


def test_functions_that_do_not_fit_are_refused_at_registration() -> None:
    natives = Natives()
    with pytest.raises(TypeError, match=r"f\(\) cannot be called with the 2 arguments of \(\*~i\)"):
        natives.function("(*~i)", name="f")(lambda a: None)
    with pytest.raises(TypeError, match=r"f\(\): parameter b has no annotation"):
        natives.function(name="f")(lambda b: None)


@pytest.mark.parametrize("kind", ["(param i64)", "(param i32 i32)", "(param i32) (result i32)", ""])
def test_imports_that_do_not_fit_are_refused_when_linked(kind: str) -> None:
    natives = Natives("env")
    natives.function("(i)", name="f")(print)
    with pytest.raises(LinkError, match=r"env\.f has the signature \(i\), but the module needs a"):
        Instance(module(f'(import "env" "f" (func {kind}))'), natives.imports())

    @natives.function(name="f")
    def annotated(text: str) -> None: ...

    if kind != "(param i64)":  # a pointer to a 64-bit memory
        with pytest.raises(LinkError, match=r"is annotated \(str\) -> None, but the module needs"):
            Instance(module(f'(import "env" "f" (func {kind}))'), natives.imports())


def test_an_exception_goes_through_any_number_of_frames_and_instances() -> None:
    natives = Natives("env")
    error = RuntimeError("mine")

    @natives.function
    def f() -> None:
        raise error

    below = Instance(module(calling("", "(call $f)")), natives.imports())
    for engine in ("classic", "fast") * 10:
        text = (
            '(import "env" "go" (func $below)) (func $1 call $below) (func $2 call $1)'
            '(func (export "go") call $2)'
        )
        below = Instance(module(text), {"env": below.exports}, engine=engine)
    with pytest.raises(RuntimeError) as caught:
        below.exports.go()
    assert caught.value is error


def test_memory_as_the_embedder_uses_it() -> None:
    text = (
        '(memory (export "memory") 1) (global $top (mut i32) (i32.const 1024))'
        '(func (export "malloc") (param i32) (result i32)'
        "  (if (i32.gt_u (local.get 0) (i32.const 1000)) (then (return (i32.const 0))))"
        "  global.get $top (global.set $top (i32.add (global.get $top) (local.get 0))))"
        '(func (export "free") (param i32) (global.set $top (local.get 0)))'
    )
    instance = Instance(module(text))
    offset = instance.malloc(100)
    assert offset == 1024
    view = instance.to_native(offset, 100)
    view[:3] = b"abc"
    assert instance.exports.memory.read(1024, 3) == b"abc"
    assert instance.to_app(view) == 1024
    assert instance.to_app(view[50:]) == 1074
    instance.free(offset)
    assert instance.malloc(1) == 1024
    with pytest.raises(MemoryError, match="no room for 5000 bytes"):
        instance.malloc(5000)
    for offset, size in ((65536, 1), (0, 65537), (-1, 1), (5, -1)):
        with pytest.raises(IndexError):
            instance.to_native(offset, size)
    with pytest.raises(IndexError, match="is not in the memory"):
        instance.to_app(12)
    with pytest.raises(LookupError, match="exports no function malloc"):
        Instance(module(MEMORY)).malloc(1)
    with pytest.raises(LookupError, match="has no memory"):
        Instance(module("")).to_native(0, 0)


def test_native_functions_in_several_threads() -> None:
    natives = Natives("env")
    natives.function("(*~$)i", name="f")(lambda data, text: len(data) + len(text))
    text = calling(
        "(param i32 i32 i32) (result i32)",
        "(param i32) (result i32) (call $f (i32.const 16) (local.get 0) (i32.const 16))",
    )
    code = module(text)
    wrong: list[int] = []

    def work(size: int) -> None:
        go = Instance(code, natives.imports()).exports.go
        wrong.extend(i for i in range(500) if go(size) != size + 5)

    threads = [threading.Thread(target=work, args=(size,)) for size in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_random_signatures_never_reach_outside() -> None:
    """Any letters with any arguments: the right values, or a trap, or an error of linking."""
    rng = random.Random(5)
    types = {"i": "i32", "I": "i64", "f": "f32", "F": "f64", "*": "i32", "~": "i32", "$": "i32"}
    outcomes = {"called": 0, "trapped": 0}
    for _ in range(300):
        letters = "".join(rng.choices("iIfF*~$", k=rng.randrange(6)))
        natives = Natives("env")
        try:
            natives.function(f"({letters})", name="f")(lambda *args: outcomes.update(called=1))
        except ValueError:
            assert "~" in letters
            continue
        params = " ".join(types[letter] for letter in letters)
        values = [rng.choice((0, 1, 16, 65535, 65536, -1, 2**31 - 1)) for _ in letters]
        consts = " ".join(
            f"({types[each]}.const {value})" for each, value in zip(letters, values, strict=True)
        )
        try:
            run(natives, calling(f"(param {params})", f"(call $f {consts})"))
        except Trap as trap:
            assert trap.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
            outcomes["trapped"] += 1
    assert outcomes["called"] and outcomes["trapped"]


def test_nothing_is_kept_when_all_is_gone() -> None:
    natives = Natives("env")
    natives.function("($)", name="f")(print)
    instance: Any = Instance(module(calling("(param i32)", "")), natives.imports())
    kept = instance._owner.links.instance
    assert kept() is instance
    del instance
    gc.collect()
    assert kept() is None
