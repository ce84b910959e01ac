"""What the garbage collector takes for roots: exactly the references that running code still uses.

Each function keeps objects in one kind of place while garbage is collected, and looks at them
after.
"""

import threading
from collections.abc import Iterator

import pytest

from wasmote import Aggregate, Instance, Module, RefType, Table, TableType, heap
from wasmote.api.instance import Exports
from wasmote.wat import wat2wasm

from .support import compiled

PLACES = """
(module
  (type $box (struct (field i32)))
  (type $pair (struct (field (ref $box)) (field (ref $box))))
  (type $list (array (ref $box)))
  (type $make (func (param i32) (result (ref $box))))
  (import "host" "collect" (func $collect))
  (import "host" "pass" (func $pass (param (ref $box) i64 (ref $box)) (result (ref $box))))
  (import "host" "two" (func $two (param (ref $box)) (result (ref $box) i32 (ref $box))))
  (table $makers funcref (elem $new))
  (global $kept (mut (ref null $box)) (ref.null $box))

  (func $new (type $make) (struct.new $box (local.get 0)))
  (func $value (param (ref null $box)) (result i32) (struct.get $box 0 (local.get 0)))

  ;; locals, also such as are set late; a number that looks like a reference
  (func (export "locals") (result i32)
    (local $a (ref null $box)) (local $n i64) (local $b (ref $box)) (local $v v128)
    (local $c (ref null $box))
    (local.set $a (call $new (i32.const 1)))
    (call $collect)
    (local.set $b (call $new (i32.const 2)))
    (local.set $n (i64.const -1))
    (call $collect)
    (local.set $c (call $new (i32.const 4)))
    (call $collect)
    (i32.add (call $value (local.get $a))
      (i32.add (call $value (local.get $b)) (call $value (local.get $c)))))

  ;; operands below a call, among numbers of all sizes
  (func (export "operands") (result i32)
    (local $sum i32)
    (call $new (i32.const 1))
    (i64.const 7)
    (call $new (i32.const 2))
    (v128.const i64x2 1 2)
    (f64.const 1)
    (call $new (i32.const 4))
    (call $collect)
    (local.set $sum (i32.add (call $value) (local.get $sum)))
    drop drop
    (local.set $sum (i32.add (call $value) (local.get $sum)))
    drop
    (i32.add (call $value) (local.get $sum)))

  ;; operands that are a local which changes, a constant, and what is still in an accumulator
  (func (export "aliases") (param $a (ref null $box)) (result i32) (local $n i32)
    (local.get $a)
    (ref.null $box)
    (global.get $kept)
    (local.set $a (ref.null $box))
    (global.set $kept (ref.null $box))
    (struct.new $box (i32.const 9))
    (call $collect)
    drop
    (local.set $n (call $value))
    (local.set $n (i32.add (i32.mul (ref.is_null) (i32.const 10)) (local.get $n)))
    (i32.add (call $value) (local.get $n)))

  ;; the operands of instructions that make objects
  (func (export "makers") (result i32)
    (local $p (ref null $pair)) (local $l (ref null $list))
    (local.set $p (struct.new $pair (call $new (i32.const 1)) (call $new (i32.const 2))))
    (local.set $l (array.new_fixed $list 3
      (call $new (i32.const 4)) (call $new (i32.const 8)) (call $new (i32.const 16))))
    (call $collect)
    (i32.add (call $value (struct.get $pair 0 (local.get $p)))
      (i32.add (call $value (struct.get $pair 1 (local.get $p)))
        (i32.add (call $value (array.get $list (local.get $l) (i32.const 0)))
          (i32.add (call $value (array.get $list (local.get $l) (i32.const 1)))
            (call $value (array.get $list (local.get $l) (i32.const 2))))))))

  ;; arguments and results of host functions
  (func (export "host") (result i32)
    (local $sum i32)
    (call $new (i32.const 1))
    (call $pass (call $new (i32.const 2)) (i64.const 5) (call $new (i32.const 4)))
    (local.set $sum (i32.add (call $value) (local.get $sum)))
    (call $two (call $new (i32.const 8)))
    (local.set $sum (i32.add (call $value) (local.get $sum)))
    (local.set $sum (i32.add (local.get $sum)))
    (local.set $sum (i32.add (call $value) (local.get $sum)))
    (i32.add (call $value) (local.get $sum)))

  ;; blocks with parameters and results, in loops that end by themselves
  (func (export "blocks") (param $n i32) (result i32)
    (local $sum i32)
    (call $new (i32.const 0))
    (loop $more (param (ref $box)) (result (ref $box))
      (block (param (ref $box)) (result (ref $box))
        (if (param (ref $box)) (result (ref $box)) (i32.and (local.get $n) (i32.const 1))
          (then (call $value) (call $new (i32.add (i32.const 1))))
          (else (call $collect))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $value))

  ;; all kinds of calls, tail calls too, each frame with objects in a local and as an operand
  (func $deep (export "deep") (param $n i32) (param $kept (ref $box)) (result i32)
    (local $own (ref null $box)) (local $r i32)
    (local.set $own (call $new (local.get $n)))
    (if (i32.eqz (local.get $n)) (then (call $collect) (return (call $value (local.get $kept)))))
    (call_indirect $makers (type $make) (local.get $n) (i32.const 0))
    (call $deep (i32.sub (local.get $n) (i32.const 1))
      (call_ref $make (i32.add (i32.const 1) (call $value (local.get $kept))) (ref.func $new)))
    (local.set $r (i32.sub (call $value (local.get $own))))
    (i32.add (call $value) (local.get $r)))
  (elem declare func $new)
  (func $tail (export "tail")
    (param $n i32) (param $a (ref $box)) (param $b (ref $box)) (result i32)
    (local $old (ref null $box))
    (local.set $old (call $new (i32.const 1000)))
    (if (i32.eqz (local.get $n))
      (then (call $collect)
        (return (i32.add (call $value (local.get $a)) (call $value (local.get $b))))))
    (call $collect)
    (return_call $tail (i32.sub (local.get $n) (i32.const 1))
      (local.get $b) (call $new (i32.add (i32.const 1) (call $value (local.get $a))))))

  ;; what is not in use any more does not stay
  (func (export "stale") (param $keep i32) (result i32)
    (local $a (ref null $box))
    (drop (call $new (i32.const 1)))
    (drop (struct.new $pair (call $new (i32.const 2)) (call $new (i32.const 3))))
    (local.set $a (call $new (i32.const 4)))
    (call $burn (i32.const 20))
    (if (i32.eqz (local.get $keep)) (then (local.set $a (ref.null $box))))
    (call $collect)
    (if (result i32) (ref.is_null (local.get $a))
      (then (i32.const 0)) (else (call $value (local.get $a)))))
  (func $burn (param $n i32)
    (drop (call $new (local.get $n)))
    (if (local.get $n) (then (call $burn (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "box") (param i32) (result (ref $box)) (call $new (local.get 0)))
  (func (export "value") (param (ref $box)) (result i32) (call $value (local.get 0)))
  (func (export "keep") (param (ref $box)) (global.set $kept (local.get 0)))
)
"""


class Host:
    """An instance of the module whose host functions collect garbage."""

    def __init__(self, engine: str, text: str = PLACES) -> None:
        self.engine = engine
        self.left: list[int] = []
        imports = {"host": {"collect": self.collect, "pass": self.pass_, "two": self.two}}
        module = Module(wat2wasm(text))
        module = compiled(module) if engine == "aot" else module
        self.instance = Instance(module, imports, engine=engine, stack_size=64 << 20)
        self.exports: Exports = self.instance.exports

    def collect(self) -> None:
        assert heap.collect()
        self.left.append(len(heap))

    def pass_(self, first: Aggregate, number: int, second: Aggregate) -> Aggregate:
        self.collect()
        assert self.exports.value(first) == 2
        assert self.exports.value(second) == 4
        return second

    def two(self, box: Aggregate) -> tuple[Aggregate, int, Aggregate]:
        result = box, 32, self.exports.box(16)
        self.collect()
        return result


@pytest.fixture(params=["fast", "classic", "aot"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """With memory of the objects that are there anyway."""
    assert heap.collect()
    yield Host(request.param)


@pytest.fixture(params=[False, True], ids=["", "restless"])
def restless(request: pytest.FixtureRequest) -> Iterator[None]:
    before = heap.step, heap.growth, heap.minimum
    if request.param:
        heap.step, heap.growth, heap.minimum = 1 << 30, 0, 0
    yield
    heap.step, heap.growth, heap.minimum = before


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("locals", (), 1 + 2 + 4),
        ("operands", (), 1 + 2 + 4),
        ("makers", (), 31),
        ("host", (), 1 + 4 + 8 + 32 + 16),
        ("blocks", (7,), 4),
    ],
)
def test_references_in_every_place_are_roots(
    name: str, arguments: tuple[int, ...], expected: int, host: Host, restless: None
) -> None:
    assert host.exports[name](*arguments) == expected


def test_aliases(host: Host, restless: None) -> None:
    host.exports.keep(host.exports.box(5))
    assert host.exports.aliases(host.exports.box(3)) == 3 + 10 + 5


def test_frames_of_recursion(host: Host, restless: None) -> None:
    depth = 200
    assert host.exports.deep(depth, host.exports.box(1)) == depth + 1
    assert host.exports.tail(50, host.exports.box(1), host.exports.box(2)) == 53


def test_stale_cells_do_not_count(host: Host) -> None:
    """Exactly one object stays, or none."""
    before = len(heap)
    assert host.exports.stale(1) == 4
    assert host.exports.stale(0) == 0
    assert [left - before for left in host.left] == [1, 0]


def test_frames_in_the_depth(host: Host) -> None:
    """Each frame with one object that is in use, twice, and one that is not."""
    before = len(heap)
    depth = 20_000 if host.engine == "aot" else 100_000  # there is less native stack
    assert host.exports.deep(depth, host.exports.box(1)) == depth + 1
    # own, an operand, and the argument of each frame but for the last, which has no operand;
    # compiled code forgets the argument once it has read it
    expected = 2 * depth + 2 if host.engine == "aot" else 3 * depth + 2
    assert host.left[-1] - before == expected


def test_tables_of_the_host_let_go() -> None:
    assert heap.collect()
    before = len(heap)
    boxes = Host("fast").exports
    table = Table(TableType(RefType("any"), 5000))
    for i in range(5000):
        table[i] = boxes.box(i)
    assert heap.collect()
    assert len(heap) - before == 5000
    assert boxes.value(table[4999]) == 4999
    for i in range(1, 5000):
        table[i] = None
    assert heap.collect()
    assert len(heap) - before == 1
    del table
    assert heap.collect()
    assert len(heap) == before


BUSY = """
(module
  (type $node (struct (field i32) (field (ref null $node))))
  (memory 1 1 shared)
  (func (export "spin") (param $n i32) (result i32) (local $kept (ref null $node))
    (local.set $kept (struct.new $node (local.get $n) (ref.null $node)))
    (loop $more
      (if (i32.eqz (i32.atomic.load (i32.const 0))) (then (br $more))))
    (struct.get $node 0 (local.get $kept)))
  (func (export "wait") (param $n i32) (result i32) (local $kept (ref null $node))
    (local.set $kept (struct.new $node (local.get $n) (ref.null $node)))
    (struct.new $node (i32.mul (local.get $n) (i32.const 2)) (ref.null $node))
    (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))
    (struct.get $node 0)
    (i32.add (struct.get $node 0 (local.get $kept))))
  (func (export "churn") (param $n i32) (result i32) (local $kept (ref null $node))
    (local.set $kept (struct.new $node (local.get $n) (ref.null $node)))
    (loop $more
      (drop (struct.new $node (local.get $n) (ref.null $node)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (struct.get $node 0 (local.get $kept)))
  (func (export "stop")
    (i32.atomic.store (i32.const 0) (i32.const 1))
    (drop (memory.atomic.notify (i32.const 0) (i32.const -1))))
)
"""


@pytest.mark.parametrize("engine", ["fast", "classic"])  # atomics
@pytest.mark.parametrize("busy", ["spin", "wait", "churn"])
def test_other_threads_stop_for_a_collection(busy: str, engine: str) -> None:
    """They neither put it off nor lose what they hold, whether they compute, wait or collect."""
    exports = Instance(Module(wat2wasm(BUSY)), engine=engine).exports
    numbers = [3_000_000 + i for i in range(3)]
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: results.append(exports[busy](n))) for n in numbers
    ]
    for thread in threads:
        thread.start()
    before = heap.collections
    assert exports.churn(10_000_000) == 10_000_000
    collected = heap.collections - before
    exports.stop()
    for thread in threads:
        thread.join()
    assert sorted(results) == [n * 3 if busy == "wait" else n for n in numbers]
    assert collected >= 3
    assert heap.size < 64 << 20


def test_frames_of_metered_code(host: Host, restless: None) -> None:
    """Code that counts instructions is other code than that without, with other places."""
    module = Module(wat2wasm(PLACES))
    instance = Instance(
        compiled(module, fuel=True) if host.engine == "aot" else module,
        {"host": {"collect": host.collect, "pass": host.pass_, "two": host.two}},
        engine=host.engine,
        fuel=1 << 40,
    )
    assert instance.exports.operands() == 7
    assert instance.exports.makers() == 31
    assert instance.exports.deep(20, instance.exports.box(1)) == 21


def test_descriptions_are_kept_for_modules_that_go() -> None:
    """Maps of frames are the module's: another that comes to be at its place has its own."""
    for n in range(30):
        text = PLACES.replace("(local $a (ref null $box))", f"(local i64) {'(local i32) ' * n}"
                              "(local $a (ref null $box))")  # fmt: skip
        host = Host("fast", text)
        assert host.exports.stale(1) == 4


@pytest.mark.parametrize("engine", ["fast", "classic"])
@pytest.mark.parametrize("count", [0, 250, 400])
def test_operands_behind_many_locals(count: int, engine: str) -> None:
    """Where operands are depends on how many cells the locals take, few or many."""
    text = f"""(module
      (type $box (struct (field i32)))
      (import "host" "collect" (func $collect))
      (func (export "f") (param $n i32) (result i32) {"(local i64) " * count}
        (local $own (ref null $box))
        (local.set $own (struct.new $box (i32.const 1)))
        (struct.new $box (local.get $n))
        (struct.new $box (i32.const 4))
        (call $collect)
        drop
        (struct.get $box 0)
        (i32.add (struct.get $box 0 (local.get $own)))))"""
    left: list[int] = []

    def collect() -> None:
        assert heap.collect()
        left.append(len(heap))

    assert heap.collect()
    before = len(heap)
    exports = Instance(Module(wat2wasm(text)), {"host": {"collect": collect}}, engine=engine)
    assert exports.exports.f(2) == 3
    assert left == [before + 3]
