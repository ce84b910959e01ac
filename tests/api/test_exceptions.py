"""Exceptions between WebAssembly and Python, tags, and references to exceptions."""

import gc
import pickle
import threading
import weakref
from typing import Any

import pytest

import wasmote
import wasmote.wat
from wasmote import (
    FuncType,
    Global,
    GlobalType,
    LinkError,
    Module,
    RefType,
    Table,
    TableType,
    Tag,
    TagType,
    Trap,
    ValType,
    WasmException,
    func,
    heap,
)

from .support import exports, module, resident_kilobytes

I32, I64, F32, F64, V128 = ValType.I32, ValType.I64, ValType.F32, ValType.F64, ValType.V128
ENGINES = pytest.mark.parametrize("engine", ["fast", "classic", "aot"])

#: Calls a host function, and says what became of it.
CALLER = """
    (import "m" "e" (tag $e (param i32))) (import "m" "f" (func $f))
    (func (export "caught") (result i32)
      (block $h (result i32)
        (try_table (catch $e $h) (call $f))
        (i32.const -1)))
    (func (export "all") (result i32)
      (block $h (try_table (catch_all $h) (call $f)) (return (i32.const 0)))
      (i32.const 1))
    (func (export "again")
      (throw_ref (block $h (result exnref)
        (try_table (catch_all_ref $h) (call $f)) (return))))
    (func (export "through") (call $f))
"""


def raising(exception: BaseException) -> Any:
    def raise_it() -> None:
        raise exception

    return raise_it


def caller(f: Any, tag: Tag, engine: str) -> Any:
    return exports(CALLER, {"m": {"e": tag, "f": f}}, engine=engine)


# -- tags ------------------------------------------------------------------------------------------


def test_types_of_tags() -> None:
    text = """
        (import "m" "t" (tag (param i32 externref)))
        (tag (export "own") (param f64 v128)) (tag (export "none"))
    """
    made = module(text)
    type = TagType((I32, ValType.EXTERNREF))
    assert [each.type for each in made.imports] == [type]
    assert str(type) == "tag (i32, externref)"
    assert [each.type for each in made.exports] == [TagType((F64, V128)), TagType()]
    given = Tag(type)
    assert given.type == type
    found = exports(text, {"m": {"t": given}})
    assert isinstance(found.own, Tag)
    assert (found.own.type, found.own.name) == (TagType((F64, V128)), "own")
    assert given.name is None
    assert found.own == found["own"] != found.none
    assert len({found.own, found["own"], given}) == 2


def test_tags_are_linked_by_type() -> None:
    wanted = '(import "m" "t" (tag (param i32)))'
    for wrong in (Tag(TagType()), Tag(TagType((I64,))), Tag(TagType((I32, I32)))):
        with pytest.raises(LinkError, match=r"m\.t is tag .*but the module needs a tag \(i32\)"):
            exports(wanted, {"m": {"t": wrong}})
    with pytest.raises(LinkError, match="is missing"):
        exports(wanted, {"m": {}}, missing="trap")
    with pytest.raises(LinkError, match="needs a tag"):
        exports(wanted, {"m": {"t": print}})


def test_one_tag_for_two_instances() -> None:
    tag = Tag(TagType((I32,)))
    imports = {"m": {"t": tag}}
    thrower = exports(
        '(import "m" "t" (tag $t (param i32))) (export "t" (tag $t))'
        '(func (export "f") (throw $t (i32.const 4)))',
        imports,
    )
    assert thrower.t is tag
    catcher = exports(
        """
        (import "m" "t" (tag $t (param i32))) (import "m" "f" (func $f))
        (func (export "f") (result i32)
          (block $h (result i32) (try_table (catch $t $h) (call $f)) (i32.const 0)))
        """,
        {"m": {"t": tag, "f": thrower.f}},
    )
    assert catcher.f() == 4


# -- from WebAssembly to Python --------------------------------------------------------------------


@ENGINES
def test_values_of_all_types_reach_python(engine: str) -> None:
    text = """
        (tag $e (export "e") (param i32 i64 f32 f64 v128 funcref externref))
        (func $f (export "f") (param externref)
          (throw $e (i32.const -1) (i64.const -2) (f32.const 0.5) (f64.const 0.25)
            (v128.const i64x2 1 2) (ref.func $f) (local.get 0)))
    """
    found = exports(text, engine=engine)
    thing = object()
    with pytest.raises(WasmException) as caught:
        found.f(thing)
    vector = (1).to_bytes(8, "little") + (2).to_bytes(8, "little")
    assert caught.value.values == (-1, -2, 0.5, 0.25, vector, found.f, thing)
    assert caught.value.tag == found.e
    assert isinstance(caught.value, wasmote.WasmoteError)
    assert not isinstance(caught.value, Trap)
    assert [each.function_name for each in caught.value.frames] == ["f"]


@ENGINES
def test_a_start_function_may_throw(engine: str) -> None:
    with pytest.raises(WasmException, match=r"^boom\(\)$"):
        exports("(tag $boom) (func $f (throw $boom)) (start $f)", engine=engine)


@ENGINES
def test_objects_of_an_exception_belong_to_the_thrower(engine: str) -> None:
    """The caller knows nothing of references, which come out of functions without any."""
    thrower = exports(
        """
        (tag $e (param externref)) (global $g (mut externref) (ref.null extern))
        (func (export "set") (param externref) (global.set $g (local.get 0)))
        (func (export "f") (throw $e (global.get $g)))
        """,
        engine=engine,
    )
    other = exports(
        """
        (import "m" "f" (func $f)) (table 4 exnref)
        (func (export "g") (call $f))
        (func (export "keep") (param externref)
          (table.set (i32.const 1) (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $f)) unreachable)))
        (func (export "again") (throw_ref (table.get (i32.const 1))))
        """,
        {"m": {"f": thrower.f}},
        engine=engine,
    )
    things = [object() for _ in range(3)]
    thrower.set(things[0])
    with pytest.raises(WasmException) as caught:
        other.g()
    assert caught.value.values == (things[0],)
    other.keep(things[1])
    thrower.set(None)
    del thrower, caught
    gc.collect()
    with pytest.raises(WasmException) as caught:
        other.again()
    assert caught.value.values == (things[0],)


# -- from Python to WebAssembly --------------------------------------------------------------------


@ENGINES
def test_a_host_function_throws(engine: str) -> None:
    tag = Tag(TagType((I32,)))
    found = caller(raising(WasmException(tag, 7)), tag, engine)
    assert (found.caught(), found.all()) == (7, 1)
    found = caller(raising(WasmException(Tag(TagType((I32,))), 7)), tag, engine)
    assert found.all() == 1
    with pytest.raises(WasmException):  # of another tag that looks alike
        found.caught()


@ENGINES
def test_what_nobody_catches_stays_the_same_object(engine: str) -> None:
    tag = Tag(TagType((I32,)))
    thrown = WasmException(tag, 3)
    found = caller(raising(thrown), tag, engine)
    for call in (found.through, found.again):
        with pytest.raises(WasmException) as caught:
            call()
        assert caught.value is thrown
        names = [entry.name for entry in caught.traceback]
        assert names[-1] == "raise_it"
    assert [each.function_name for each in thrown.frames] == ["through"]


@ENGINES
def test_an_exception_passes_python_in_between(engine: str) -> None:
    inner = exports('(tag (export "e") (param i32)) (func (export "f") (throw 0 (i32.const 9)))')
    passed: list[WasmException] = []

    def between() -> None:
        try:
            inner.f()
        except WasmException as exception:
            passed.append(exception)
            raise

    found = caller(between, inner.e, engine)
    assert found.caught() == 9
    with pytest.raises(WasmException) as caught:
        found.again()
    assert caught.value is passed[-1]
    assert len(passed) == 2


@ENGINES
@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_other_exceptions_are_not_caught(engine: str, error: BaseException) -> None:
    found = caller(raising(error), Tag(TagType((I32,))), engine)
    for call in (found.caught, found.all, found.again, found.through):
        with pytest.raises(type(error)) as caught:
            call()
        assert caught.value is error


@ENGINES
def test_traps_of_inner_calls_are_not_caught(engine: str) -> None:
    inner = exports('(func (export "f") unreachable)')
    found = caller(lambda: inner.f(), Tag(TagType((I32,))), engine)
    with pytest.raises(Trap, match="unreachable"):
        found.all()


def test_values_must_fit() -> None:
    tag = Tag(TagType((I32, V128, RefType("i31"))))
    with pytest.raises(TypeError, match=r"carries 3, not 1"):
        WasmException(tag, 1)
    with pytest.raises(OverflowError, match=r"value 1 must be from -2\*\*31"):
        WasmException(tag, 1 << 32, bytes(16), None)
    with pytest.raises(TypeError, match=r"value 2 must be 16 bytes"):
        WasmException(tag, 1, b"", None)
    with pytest.raises(TypeError, match="value 3"):
        WasmException(tag, 1, bytes(16), "no")
    assert WasmException(tag, 1, bytes(16), wasmote.I31(5)).values[2] == wasmote.I31(5)
    with pytest.raises(TypeError, match="belongs to this process"):
        pickle.dumps(WasmException(Tag(TagType())))


def test_a_subclass_without_its_constructor_is_an_ordinary_exception() -> None:
    class Odd(WasmException):
        def __init__(self) -> None:
            pass

        def __str__(self) -> str:
            return "odd"

    found = caller(raising(Odd()), Tag(TagType((I32,))), "fast")
    with pytest.raises(Odd):
        found.all()


# -- references to exceptions ----------------------------------------------------------------------

REFERENCES = """
    (tag $e (export "e") (param i32 externref))
    (global (export "g") (mut exnref) (ref.null exn))
    (table (export "t") 4 exnref)
    (func (export "make") (param i32 externref) (result exnref)
      (block $h (result exnref)
        (try_table (catch_all_ref $h) (throw $e (local.get 0) (local.get 1)))
        unreachable))
    (func (export "throw") (param exnref) (throw_ref (local.get 0)))
    (func (export "value") (param exnref) (result i32)
      (block $h (result i32 externref)
        (try_table (catch $e $h) (throw_ref (local.get 0)))
        unreachable)
      drop)
    (func (export "churn") (param i32)
      (loop $again
        (block $h (result i32 externref)
          (try_table (catch $e $h) (throw $e (i32.const 1) (ref.null extern)))
          unreachable)
        drop drop
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $again (local.get 0))))
"""


@ENGINES
def test_python_holds_references(engine: str) -> None:
    found = exports(REFERENCES, engine=engine)
    thing = object()
    kept = [found.make(i, thing) for i in range(50)]
    found.churn(300_000)  # collects garbage
    assert [each.values for each in kept] == [(i, thing) for i in range(50)]
    assert [found.value(each) for each in kept] == list(range(50))
    with pytest.raises(WasmException) as caught:
        found.throw(kept[7])
    assert caught.value.values == (7, thing)
    found.g.value = kept[3]
    found.t[2] = kept[4]
    del kept, caught
    found.churn(300_000)
    assert found.g.value.values == (3, thing)
    assert found.t[2].values == (4, thing)
    assert found.make(1, None).frames == ()
    for wrong in (1, "x", wasmote.I31(1), found.make):
        with pytest.raises(TypeError):
            found.throw(wrong)
    with pytest.raises(Trap, match="null exception reference"):
        found.throw(None)


def test_globals_and_tables_of_the_host() -> None:
    tag = Tag(TagType((I64,)))
    exn = RefType("exn")
    variable = Global(GlobalType(exn, True), WasmException(tag, 5))
    table = Table(TableType(exn, 2))
    table[1] = WasmException(tag, 6)
    exports(REFERENCES).churn(300_000)
    assert variable.value.values == (5,)  # type: ignore[attr-defined]
    assert table[1].values == (6,)
    found = exports(
        """
        (import "m" "g" (global $g (mut exnref))) (import "m" "t" (table $t 2 exnref))
        (func (export "g") (throw_ref (global.get $g)))
        (func (export "t") (throw_ref (table.get $t (i32.const 1))))
        """,
        {"m": {"g": variable, "t": table}},
    )
    for call, value in ((found.g, 5), (found.t, 6)):
        with pytest.raises(WasmException) as caught:
            call()
        assert (caught.value.tag, caught.value.values) == (tag, (value,))


def test_host_functions_take_and_return_references() -> None:
    tag = Tag(TagType((I32,)))
    exn = RefType("exn")
    made = func(FuncType((exn,), (exn,)), lambda e: WasmException(tag, e.values[0] + 1))
    found = exports(
        """
        (import "m" "e" (tag $e (param i32)))
        (import "m" "f" (func $f (param exnref) (result exnref)))
        (func (export "f") (param i32) (result i32)
          (block $h2 (result i32)
            (try_table (catch $e $h2)
              (throw_ref (call $f (block $h (result exnref)
                (try_table (catch_all_ref $h) (throw $e (local.get 0)))
                unreachable))))
            unreachable))
        """,
        {"m": {"e": tag, "f": made}},
    )
    assert found.f(4) == 5


def test_exceptions_are_collected() -> None:
    found = exports(REFERENCES)
    found.churn(300_000)
    before = heap.collections
    found.churn(1_000_000)
    assert heap.collections > before
    assert len(heap) < 200_000


def test_exceptions_of_the_host_are_collected() -> None:
    tag = Tag(TagType((I32,)))
    kept: list[Any] = []

    def throw(n: int) -> None:
        raise WasmException(tag, n)

    found = exports(
        """
        (import "m" "e" (tag $e (param i32))) (import "m" "f" (func $f (param i32)))
        (func (export "run") (param $n i32) (result i32) (local $sum i32)
          (loop $again
            (block $h (result i32)
              (try_table (catch $e $h) (call $f (local.get $n)))
              unreachable)
            (local.set $sum (i32.add (local.get $sum)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n)))
          (local.get $sum))
        """,
        {"m": {"e": tag, "f": throw}},
    )
    found.run(2000)
    resident = resident_kilobytes()
    assert found.run(50_000) == 50_000 * 50_001 // 2
    assert resident_kilobytes() - resident < 20_000
    assert not kept


@ENGINES
def test_payloads_survive_collections(engine: str) -> None:
    """Structures that only an exception refers to."""
    found = exports(
        """
        (type $s (struct (field i32))) (tag $e (param i64 (ref $s) f64))
        (global $kept (mut exnref) (ref.null exn))
        (func $throw (param i32)
          (throw $e (i64.const 1) (struct.new $s (local.get 0)) (f64.const 2)))
        (func (export "keep") (param i32)
          (global.set $kept (block $h (result exnref)
            (try_table (catch_all_ref $h) (call $throw (local.get 0))) unreachable)))
        (func (export "churn") (param i32)
          (loop $again
            (drop (struct.new $s (i32.const 0)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $again (local.get 0))))
        (func (export "get") (result i32)
          (block $h (result i64 (ref $s) f64)
            (try_table (catch $e $h) (throw_ref (global.get $kept)))
            unreachable)
          drop struct.get $s 0 return)
        """,
        engine=engine,
    )
    found.keep(1234)
    before = heap.collections
    while heap.collections < before + 3:
        found.churn(200_000)
    assert found.get() == 1234


def test_out_of_heap_is_a_trap() -> None:
    found = exports(REFERENCES)
    found.churn(1)
    limit = heap.limit
    heap.limit = 1
    try:
        with pytest.raises(Trap, match="out of memory"):
            found.churn(10)
        with pytest.raises(Trap, match="out of memory"):
            WasmException(found.e, 1, None)
    finally:
        heap.limit = limit
    found.churn(10)


def test_an_exception_keeps_its_tag_and_nothing_is_left() -> None:
    found = exports(REFERENCES)
    exception = found.make(5, None)
    address = exception.tag._address
    del found
    gc.collect()
    again = exports(REFERENCES)
    assert again.e._address != address
    assert exception.values == (5, None)
    with pytest.raises(WasmException) as caught:
        again.throw(exception)
    assert caught.value.tag == exception.tag != again.e
    instance = weakref.ref(exception.tag._owner)
    del exception, caught, again
    gc.collect()
    assert instance() is None


def test_features_can_be_switched_off() -> None:
    both = wasmote.FEATURES - {"exception-handling", "legacy-exception-handling"}
    for text, feature in (
        ("(tag)", "exception-handling"),
        ("(func (try_table))", "exception-handling"),
        ("(global exnref (ref.null exn))", "exception-handling"),
        ("(func try end)", "legacy-exception-handling"),
    ):
        binary = wasmote.wat.wat2wasm(f"(module {text})")
        with pytest.raises(wasmote.ValidationError, match=f"unsupported feature {feature}"):
            Module(binary, features=both)
        Module(binary)


@ENGINES
def test_threads_throw_at_once(engine: str) -> None:
    """Each its own exceptions, of tags and on a heap that all share."""
    found = exports(REFERENCES, engine=engine)
    wrong: list[object] = []

    def work(number: int) -> None:
        for i in range(30):
            exception = found.make(number * 1000 + i, None)
            found.churn(3_000)
            if found.value(exception) != number * 1000 + i:
                wrong.append((number, i))

    threads = [threading.Thread(target=work, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@ENGINES
def test_caught_legacy_exceptions_survive_collections(engine: str) -> None:
    """What `rethrow` throws again is nowhere but in the frame."""
    found = exports(
        """
        (type $s (struct (field i32))) (tag $e (export "e") (param (ref $s) i32))
        (func $churn (param i32)
          (loop $again
            (drop (struct.new $s (i32.const 0)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $again (local.get 0))))
        (func (export "f") (param i32) (result i32)
          try (result i32)
            try (result i32)
              (throw $e (struct.new $s (local.get 0)) (i32.const 5))
            catch $e
              drop
              drop
              (call $churn (i32.const 300000))
              try (result i32)
                (throw $e (struct.new $s (i32.const 1)) (i32.const 6))
              catch_all
                (call $churn (i32.const 300000))
                rethrow 1
              end
            end
          catch $e
            drop
            struct.get $s 0
          end)
        """,
        engine=engine,
    )
    assert found.f(77) == 77
