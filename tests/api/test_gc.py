"""Structures, arrays and i31 from Python, and their garbage collection."""

import threading

import pytest

from wasmote import (
    I31,
    Aggregate,
    Global,
    GlobalType,
    Instance,
    Module,
    RefType,
    Table,
    TableType,
    Trap,
    TrapKind,
    heap,
)
from wasmote.wat import wat2wasm

pytestmark = pytest.mark.usefixtures("any_engine")

LISTS = """
(module
  (type $node (struct (field $value (mut i32)) (field $next (mut (ref null $node)))))
  (type $numbers (array (mut i64)))
  (type $objects (array (mut externref)))
  (global $kept (mut (ref null $node)) (ref.null $node))
  (table $shelf 10 anyref)
  (func (export "node") (param i32 (ref null $node)) (result (ref $node))
    (struct.new $node (local.get 0) (local.get 1)))
  (func (export "value") (param (ref null $node)) (result i32)
    (struct.get $node $value (local.get 0)))
  (func (export "next") (param (ref $node)) (result (ref null $node))
    (struct.get $node $next (local.get 0)))
  (func (export "link") (param (ref $node) (ref null $node))
    (struct.set $node $next (local.get 0) (local.get 1)))
  (func (export "keep") (param (ref null $node)) (global.set $kept (local.get 0)))
  (func (export "kept") (result (ref null $node)) (global.get $kept))
  (func (export "shelve") (param i32 anyref) (table.set $shelf (local.get 0) (local.get 1)))
  (func (export "shelved") (param i32) (result anyref) (table.get $shelf (local.get 0)))
  (func $build (export "build") (param $n i32) (result (ref null $node))
    (local $list (ref null $node))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $list (struct.new $node (local.get $n) (local.get $list)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $more)))
    (local.get $list))
  (func $sum (export "sum") (param $list (ref null $node)) (result i64)
    (local $sum i64)
    (block $done
      (loop $more
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u
          (struct.get $node $value (br_on_null $done (local.get $list))))))
        (local.set $list (struct.get $node $next (local.get $list)))
        (br $more)))
    (local.get $sum))
  (func (export "churn") (param $times i32) (param $n i32) (result i64)
    (local $kept (ref null $node))
    (local.set $kept (call $build (local.get $n)))
    (loop $more
      (drop (call $build (local.get $n)))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $more (local.get $times)))
    (call $sum (local.get $kept)))
  (func (export "numbers") (param i32) (result (ref $numbers))
    (array.new_default $numbers (local.get 0)))
  (func (export "box") (param externref) (result (ref $objects))
    (array.new $objects (local.get 0) (i32.const 3)))
  (func (export "unbox") (param (ref $objects)) (result externref)
    (array.get $objects (local.get 0) (i32.const 2)))
  (func (export "same") (param anyref) (result anyref) (local.get 0))
  (func (export "i31") (param i32) (result i31ref) (ref.i31 (local.get 0)))
  (func (export "outward") (param anyref) (result externref)
    (extern.convert_any (local.get 0)))
)
"""


@pytest.fixture
def lists() -> Instance:
    return Instance(Module(wat2wasm(LISTS)))


def test_structures_travel_through_python(lists: Instance) -> None:
    exports = lists.exports
    first = exports.node(1, None)
    second = exports.node(2, first)
    assert isinstance(first, Aggregate)
    assert first.heap_type == "struct"
    assert exports.value(second) == 2
    assert exports.next(second) == first
    assert exports.next(first) is None
    assert exports.same(first) == first
    assert exports.outward(first) == first
    assert exports.numbers(3).heap_type == "array"


def test_wrong_references_are_refused(lists: Instance) -> None:
    exports = lists.exports
    with pytest.raises(TypeError):
        exports.value(exports.numbers(1))
    with pytest.raises(TypeError):
        exports.value(I31(1))
    with pytest.raises(TypeError):
        exports.next(None)
    with pytest.raises(TypeError):
        exports.keep(object())
    with pytest.raises(Trap) as caught:
        exports.value(None)
    assert caught.value.kind is TrapKind.NULL_STRUCTURE_REFERENCE


def test_i31_and_objects_of_the_host(lists: Instance) -> None:
    exports = lists.exports
    assert exports.i31(-5) == I31(-5)
    assert exports.same(I31(2**30 - 1)) == I31(2**30 - 1)
    with pytest.raises(OverflowError):
        I31(2**30)
    thing = object()
    assert exports.same(thing) is thing
    assert exports.unbox(exports.box(thing)) is thing


def test_garbage_is_collected_and_the_rest_is_kept(lists: Instance) -> None:
    """Some 300 MB of nodes are made, of which little is ever in use."""
    n = 20_000
    expected = n * (n + 1) // 2
    exports = lists.exports
    exports.keep(exports.build(n))
    exports.shelve(3, exports.build(n))
    held = exports.build(n)
    before = heap.collections
    assert exports.churn(500, n) == expected
    assert heap.collections > before + 10
    assert heap.size < 50 << 20
    assert exports.sum(exports.kept()) == expected
    assert exports.sum(exports.shelved(3)) == expected
    assert exports.sum(held) == expected


def test_cycles_do_not_stay(lists: Instance) -> None:
    exports = lists.exports
    for _ in range(100):
        node = exports.node(1, None)
        exports.link(node, node)
        exports.numbers(500_000)
    assert heap.size < 50 << 20


def test_objects_of_the_host_live_as_long_as_objects_refer_to_them(lists: Instance) -> None:
    exports = lists.exports
    box = exports.box(["kept"])
    for i in range(5000):  # more than a group holds before it looks for unused ones
        exports.box([i])
    exports.churn(300, 1000)
    assert exports.unbox(box) == ["kept"]


def test_the_heap_has_a_limit(lists: Instance) -> None:
    limit = heap.limit
    heap.limit = 10 << 20
    for size in (2_000_000, 2**32 - 1):
        with pytest.raises(Trap) as caught:
            lists.exports.numbers(size)
        assert caught.value.kind is TrapKind.OUT_OF_MEMORY
    heap.limit = limit
    assert lists.exports.numbers(2_000_000).heap_type == "array"


def test_tables_and_globals_of_the_host_keep_objects(lists: Instance) -> None:
    exports = lists.exports
    table = Table(TableType(RefType("any"), 2))
    variable = Global(GlobalType(RefType("eq"), True), I31(7))
    assert variable.value == I31(7)
    table[0] = exports.node(8, None)
    variable.value = exports.node(9, None)
    exports.churn(300, 1000)
    assert exports.value(table[0]) == 8
    assert exports.value(variable.value) == 9


def test_threads_share_the_heap() -> None:
    instances = [Instance(Module(wat2wasm(LISTS))) for _ in range(3)]
    sums: list[int] = []
    threads = [
        threading.Thread(target=lambda each=each: sums.append(each.exports.churn(100, 5000)))
        for each in instances
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [5000 * 5001 // 2] * 3
