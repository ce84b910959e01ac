"""The heap of structures and arrays against a model of it, at every setting of its collector."""

import random
from collections.abc import Iterator

import pytest

from wasmote import Instance, Module, Trap, TrapKind, heap
from wasmote.wat import wat2wasm

from .support import compiled

#: A graph whose nodes have a number, three references and an array of references that may be long.
GRAPH = """
(module
  (rec
    (type $row (array (mut (ref null $node))))
    (type $node (struct (field $id i32) (field $a (mut (ref null $node)))
      (field $b (mut anyref)) (field $row (mut (ref null $row))))))
  (type $bytes (array (mut i8)))
  (table $roots (export "roots") 2000 (ref null $node))
  (func (export "new") (param $root i32) (param $id i32)
    (table.set $roots (local.get $root)
      (struct.new $node (local.get $id) (ref.null $node) (ref.null any) (ref.null $row))))
  (func (export "forget") (param i32) (table.set $roots (local.get 0) (ref.null $node)))
  (func (export "move") (param i32 i32)
    (table.copy $roots $roots (local.get 0) (local.get 1) (i32.const 1)))
  (func (export "set_a") (param i32 i32)
    (struct.set $node $a (table.get $roots (local.get 0)) (table.get $roots (local.get 1))))
  (func (export "set_b") (param i32 i32)
    (struct.set $node $b (table.get $roots (local.get 0)) (table.get $roots (local.get 1))))
  (func (export "set_i31") (param i32 i32)
    (struct.set $node $b (table.get $roots (local.get 0)) (ref.i31 (local.get 1))))
  (func (export "follow_a") (param i32 i32)
    (table.set $roots (local.get 0) (struct.get $node $a (table.get $roots (local.get 1)))))
  (func (export "new_row") (param $node i32) (param $length i32) (param $value i32)
    (struct.set $node $row (table.get $roots (local.get $node))
      (array.new $row (table.get $roots (local.get $value)) (local.get $length))))
  (func (export "set_row") (param $node i32) (param $i i32) (param $value i32)
    (array.set $row (struct.get $node $row (table.get $roots (local.get $node)))
      (local.get $i) (table.get $roots (local.get $value))))
  (func (export "get_row") (param $root i32) (param $node i32) (param $i i32)
    (table.set $roots (local.get $root) (array.get $row
      (struct.get $node $row (table.get $roots (local.get $node))) (local.get $i))))
  (func (export "copy_row") (param $to i32) (param $from i32) (param $n i32)
    (array.copy $row $row
      (struct.get $node $row (table.get $roots (local.get $to))) (i32.const 0)
      (struct.get $node $row (table.get $roots (local.get $from))) (i32.const 0) (local.get $n)))
  (func (export "fill_row") (param $node i32) (param $value i32) (param $n i32)
    (array.fill $row (struct.get $node $row (table.get $roots (local.get $node)))
      (i32.const 0) (table.get $roots (local.get $value)) (local.get $n)))
  (func (export "garbage") (param $n i32)
    (loop $more
      (drop (array.new_default $bytes (i32.rem_u (i32.mul (local.get $n) (i32.const 977))
        (i32.const 3000))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "id") (param (ref null $node)) (result i32) (struct.get $node $id (local.get 0)))
  (func (export "a") (param (ref null $node)) (result (ref null $node))
    (struct.get $node $a (local.get 0)))
  (func (export "b") (param (ref null $node)) (result anyref) (struct.get $node $b (local.get 0)))
  (func (export "length") (param (ref null $node)) (result i32) (local $row (ref null $row))
    (local.set $row (struct.get $node $row (local.get 0)))
    (if (result i32) (ref.is_null (local.get $row))
      (then (i32.const -1)) (else (array.len (local.get $row)))))
  (func (export "item") (param (ref null $node) i32) (result (ref null $node))
    (array.get $row (struct.get $node $row (local.get 0)) (local.get 1)))
)
"""


class Node:
    """The model's node."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.a: Node | None = None
        self.b: Node | int | None = None
        self.row: list[Node | None] | None = None


@pytest.fixture
def settings() -> Iterator[None]:
    """Whatever a test sets is set back."""
    names = ("limit", "step", "growth", "minimum")
    before = [getattr(heap, name) for name in names]
    yield
    for name, value in zip(names, before, strict=True):
        setattr(heap, name, value)


class Pair:
    """The same graph in WebAssembly and in the model."""

    def __init__(self, seed: int, engine: str = "fast") -> None:
        module = Module(wat2wasm(GRAPH))
        module = compiled(module) if engine == "aot" else module
        self.exports = Instance(module, engine=engine).exports
        self.random = random.Random(seed)
        self.roots: list[Node | None] = [None] * 2000
        self.made = 0

    def step(self) -> None:
        """One operation on both."""
        pick, exports, roots = self.random, self.exports, self.roots
        i, j = pick.randrange(60), pick.randrange(60)
        action = pick.randrange(16)
        node, other = roots[i], roots[j]
        if action < 4 or node is None:
            self.made += 1
            exports.new(i, self.made)
            roots[i] = Node(self.made)
        elif action == 4:
            exports.forget(i)
            roots[i] = None
        elif action == 5:
            exports.move(i, j)
            roots[i] = other
        elif action < 8:
            exports.set_a(i, j)
            node.a = other
        elif action == 8:
            exports.set_b(i, j)
            node.b = other
        elif action == 9:
            exports.set_i31(i, j)
            node.b = j
        elif action == 10:
            exports.follow_a(j, i)
            roots[j] = node.a
        elif action == 11:
            length = pick.choice((0, 1, 5, 40, 700))
            exports.new_row(i, length, j)
            node.row = [other] * length
        elif node.row:
            self.change_row(i, node, j, other)

    def change_row(self, i: int, node: Node, j: int, other: Node | None) -> None:
        pick, exports = self.random, self.exports
        assert node.row
        k = pick.randrange(len(node.row))
        action = pick.randrange(4)
        if action == 0:
            exports.set_row(i, k, j)
            node.row[k] = other
        elif action == 1:
            exports.get_row(j, i, k)
            self.roots[j] = node.row[k]
        elif action == 2:
            exports.fill_row(i, j, k)
            node.row[:k] = [other] * k
        elif other is not None and other.row:
            n = min(len(node.row), len(other.row))
            exports.copy_row(i, j, n)
            node.row[:n] = other.row[:n]

    def check(self) -> int:
        """Both are the same; returns how many nodes there are."""
        exports = self.exports
        seen: dict[Node, object] = {}
        waiting = list(zip(self.roots, exports.roots, strict=True))
        while waiting:
            node, found = waiting.pop()
            if node is None:
                assert found is None
                continue
            if node in seen:
                assert found == seen[node]
                continue
            seen[node] = found
            assert exports.id(found) == node.id
            waiting.append((node.a, exports.a(found)))
            if isinstance(node.b, int):
                assert exports.b(found).value == node.b
            else:
                waiting.append((node.b, exports.b(found)))
            assert exports.length(found) == (-1 if node.row is None else len(node.row))
            for k, item in enumerate(node.row or ()):
                waiting.append((item, exports.item(found, k)))
        return len(seen)


@pytest.mark.parametrize("step", [1, 100, 5000, 1 << 30])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("engine", ["fast", "classic", "aot"])
def test_the_heap_is_like_its_model(engine: str, seed: int, step: int, settings: None) -> None:
    """The collector never rests, and takes steps of one object, some, or a whole collection."""
    heap.collect()
    heap.step, heap.growth, heap.minimum = step, 0, 0
    before = heap.collections
    pair = Pair(seed, engine)
    for _ in range(20):
        for _ in range(60):
            pair.step()
        pair.exports.garbage(20)
        pair.check()
    nodes = pair.check()
    assert heap.collections > before
    others = len(heap)
    assert heap.collect()
    assert nodes <= len(heap) <= others


def test_all_garbage_goes(settings: None) -> None:
    heap.collect()
    before = heap.statistics()
    pair = Pair(7)
    for _ in range(500):
        pair.step()
    pair.exports.garbage(1000)
    del pair
    assert heap.collect()
    after = heap.statistics()
    assert (after.objects, after.size) == (before.objects, before.size)
    assert after.collections == before.collections + 1
    assert 0 < after.longest_pause <= after.total_pause


def test_what_is_freed_is_used_again(settings: None) -> None:
    """Objects of all sizes, in turns, within a limit that is not much larger than what lives."""
    heap.collect()
    heap.limit = heap.statistics().reserved + (3 << 20)
    pair = Pair(3)
    for length in (10, 1_000, 100_000, 300_000, 20, 400_000, 90_000) * 6:
        pair.exports.new(0, length)
        pair.exports.new_row(0, length, 0)
        pair.exports.garbage(300)
    assert pair.exports.length(pair.exports.roots[0]) == 90_000


def test_a_full_heap_is_a_trap_and_can_be_used_again(settings: None) -> None:
    heap.collect()
    heap.limit = heap.statistics().reserved + (2 << 20)
    pair = Pair(4)
    pair.exports.new(0, 1)
    for i in range(1, 10):
        try:
            pair.exports.new(i, i)
            pair.exports.new_row(i, 100_000, 0)
        except Trap as trap:
            assert trap.kind is TrapKind.OUT_OF_MEMORY
            break
    else:
        pytest.fail("4 MB went into a heap of 2 MB")
    for j in range(1, 10):
        pair.exports.forget(j)
    pair.exports.new(1, 1)
    pair.exports.new_row(1, 300_000, 0)


@pytest.mark.parametrize("name", ["limit", "step", "growth", "minimum"])
def test_settings_are_checked(name: str, settings: None) -> None:
    with pytest.raises(ValueError, match=name):
        setattr(heap, name, -1)
