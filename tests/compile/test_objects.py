"""Structures, arrays and references in compiled code: what is made, what stays, how it traps."""

import threading

import pytest

from wasmote import (
    FuncType,
    Instance,
    Module,
    RefType,
    Trap,
    TrapKind,
    ValType,
    func,
    heap,
)
from wasmote.compile import compile_module
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")


def run(text: str, imports=None, level: int = 2, **options) -> Instance:
    image = compile_module(Module(wat2wasm(text)), level=level).encode()
    return Instance(Module(image), imports, **options)


# -- what stays ------------------------------------------------------------------------------------

USES = """
(module
  (type $box (struct (field i32)))
  (import "host" "look" (func $look (param i32)))
  (func $new (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
  (func $value (param (ref null $box)) (result i32) (struct.get $box 0 (local.get 0)))

  ;; a local that is not read any more; one that an inner block still reads
  (func (export "dead") (param i32) (result i32)
    (local $a (ref null $box)) (local $b (ref null $box))
    (local.set $a (call $new (i32.const 1)))
    (local.set $b (call $new (i32.const 2)))
    (call $look (i32.const 0))
    (if (result i32) (local.get 0)
      (then (call $look (i32.const 1)) (call $value (local.get $a)))
      (else (call $look (i32.const 2)) (call $value (local.get $b)))))

  ;; read only in the next iteration, and only on one way there
  (func (export "loop") (param $n i32) (result i32)
    (local $a (ref null $box)) (local $sum i32)
    (local.set $a (call $new (i32.const 1)))
    (loop $more
      (call $look (local.get $n))
      (if (i32.and (local.get $n) (i32.const 1))
        (then
          (local.set $sum (i32.add (local.get $sum) (call $value (local.get $a))))
          (call $look (local.get $n))
          (local.set $a (call $new (local.get $n)))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; several ways out of a block, by a table
  (func (export "table") (param $i i32) (result i32)
    (local $a (ref null $box)) (local $b (ref null $box))
    (local.set $a (call $new (i32.const 10)))
    (local.set $b (call $new (i32.const 20)))
    (block $second
      (block $first
        (call $look (i32.const 0))
        (br_table $first $second (local.get $i)))
      (call $look (i32.const 1))
      (return (call $value (local.get $a))))
    (call $look (i32.const 2))
    (call $value (local.get $b)))

  ;; one object as a local and twice as an operand
  (func (export "thrice") (result i32) (local $a (ref null $box))
    (local.tee $a (call $new (i32.const 5)))
    (local.get $a)
    (call $look (i32.const 3))
    (i32.add (call $value) (call $value (local.get $a)))
    (drop)
    (call $look (i32.const 1))
    (call $value)))
"""


class Looks:
    """Collects garbage whenever the program looks, and notes how many objects stay."""

    def __init__(self, text: str = USES, level: int = 2) -> None:
        self.seen: list[tuple[int, int]] = []
        assert heap.collect()
        self.before = len(heap)
        self.exports = run(text, {"host": {"look": self.look}}, level).exports

    def look(self, place: int) -> None:
        assert heap.collect()
        self.seen.append((place, len(heap) - self.before))


@pytest.mark.parametrize("level", [0, 2])
def test_exactly_what_is_read_later_stays(level):
    looks = Looks(level=level)
    assert looks.exports.dead(1) == 1
    assert looks.exports.dead(0) == 2
    assert looks.seen == [(0, 2), (1, 1), (0, 2), (2, 1)]


def test_what_the_next_iteration_reads_stays():
    looks = Looks()
    assert looks.exports.loop(5) == 1 + 5 + 3
    stays = {5: [1, 0], 4: [1], 3: [1, 0], 2: [1], 1: [1, 0]}
    assert looks.seen == [(n, count) for n, counts in stays.items() for count in counts]


def test_branches_by_a_table():
    looks = Looks()
    assert (looks.exports.table(0), looks.exports.table(1)) == (10, 20)
    assert looks.seen == [(0, 2), (1, 1), (0, 2), (2, 1)]


def test_an_object_in_several_places():
    looks = Looks(USES.replace("(i32.add (call $value) (call $value (local.get $a)))\n    (drop)",
                               "(drop)"))  # fmt: skip
    assert looks.exports.thrice() == 5
    assert looks.seen == [(3, 1), (1, 1)]


def test_functions_and_objects_of_the_host_stay():
    """They are looked for on the stack when there are many: here, in every call of `more`."""
    things = []

    def more(_):
        for _ in range(3):
            exports.take(object())
        things.append(exports)

    def made(number):
        return func(FuncType((), (ValType.I32,)), lambda: number)

    exports = run(
        """(module
          (type $number (func (result i32)))
          (import "host" "more" (func $more (param i32)))
          (import "host" "made" (func $made (param i32) (result funcref)))
          (import "host" "thing" (func $thing (param i32) (result externref)))
          (func (export "take") (param externref))
          (func (export "hold") (param $n i32) (result i32 externref)
            (local $f funcref) (local $e externref)
            (local.set $f (call $made (local.get $n)))
            (local.set $e (call $thing (local.get $n)))
            (call $made (i32.const 2))
            (loop $again
              (call $more (local.get $n))
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (i32.add (call_ref $number (ref.cast (ref $number)))
              (call_ref $number (ref.cast (ref $number) (local.get $f))))
            (local.get $e)))""",
        {
            "host": {
                "more": more,
                "made": func(FuncType((ValType.I32,), (RefType("func"),)), made),
                "thing": func(
                    FuncType((ValType.I32,), (RefType("extern"),)), lambda n: f"thing {n}"
                ),
            }
        },
    ).exports
    assert exports.hold(2000) == (2002, "thing 2000")


# -- the collector at work -------------------------------------------------------------------------

CHAINS = """
(module
  (rec
    (type $n (struct (field i32) (field (mut (ref null $n))) (field (mut (ref null $m)))))
    (type $m (struct (field i64) (field (mut (ref null $n))) (field i32))))
  (global $kept (mut (ref null $n)) (ref.null $n))
  ;; how long a chain is whose objects all have the fields that they were made with
  (func $length (param $n (ref null $n)) (result i32) (local $count i32)
    (block $end
      (loop $next
        (br_if $end (ref.is_null (local.get $n)))
        (if (i32.or
            (i32.ne (struct.get $n 0 (local.get $n)) (i32.const 0x1234))
            (i64.ne (struct.get $m 0 (struct.get $n 2 (local.get $n))) (i64.const 0x777777777)))
          (then (unreachable)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $n (struct.get $n 1 (local.get $n)))
        (br $next)))
    (local.get $count))
  (func $build (param $length i32) (result (ref null $n))
    (local $n (ref null $n)) (local $m (ref null $m))
    (if (i32.eqz (local.get $length)) (then (return (ref.null $n))))
    (local.set $m (struct.new $m (i64.const 0x777777777) (ref.null $n) (i32.const 99)))
    (drop (struct.new $n (i32.const 5) (ref.null $n) (ref.null $m)))
    (local.set $n (struct.new $n (i32.const 0x1234)
      (call $build (i32.sub (local.get $length) (i32.const 1))) (local.get $m)))
    (struct.set $m 1 (local.get $m) (local.get $n))
    (drop (struct.new_default $m))
    (local.get $n))
  (func (export "work") (param $rounds i32) (param $length i32) (result i32)
    (local $sum i32) (local $n (ref null $n))
    (loop $more
      (local.set $n (call $build (local.get $length)))
      (if (i32.and (local.get $rounds) (i32.const 3)) (then (global.set $kept (local.get $n))))
      (local.set $sum (i32.add (local.get $sum)
        (i32.add (call $length (local.get $n)) (call $length (global.get $kept)))))
      (br_if $more (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
"""


@pytest.mark.parametrize("step", [1, 64, 1000, 1 << 30])
@pytest.mark.parametrize("growth", [0, 1, 30])
def test_objects_out_of_pools_and_collections_in_turn(step, growth):
    before = heap.step, heap.growth, heap.minimum
    exports = run(CHAINS).exports
    rounds = 30 if growth else 3  # without growth each object costs a piece of a collection
    assert heap.collect()
    heap.step, heap.growth, heap.minimum = step, growth, 0
    try:
        collections = heap.collections
        for length in (1, 7, 100, 900):
            assert exports.work(rounds, length) == 2 * rounds * length
        assert heap.collections > collections or step < 1 << 30
    finally:
        heap.step, heap.growth, heap.minimum = before


# -- threads ---------------------------------------------------------------------------------------


def test_threads_make_objects_in_one_instance():
    """One of them has the pools of structures; the collector stops all of them."""
    exports = run(
        """(module
          (type $node (struct (field (ref null $node)) (field i32)))
          (func (export "work") (param $rounds i32) (param $id i32) (result i32)
            (local $list (ref null $node)) (local $n i32) (local $wrong i32)
            (loop $round
              (local.set $list (ref.null $node))
              (local.set $n (i32.const 1000))
              (loop $more
                (local.set $list (struct.new $node (local.get $list) (local.get $id)))
                (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
              (block $done
                (loop $next
                  (br_if $done (ref.is_null (local.get $list)))
                  (local.set $n (i32.add (local.get $n) (i32.const 1)))
                  (if (i32.ne (struct.get $node 1 (local.get $list)) (local.get $id))
                    (then (local.set $wrong (i32.add (local.get $wrong) (i32.const 1)))))
                  (local.set $list (struct.get $node 0 (local.get $list)))
                  (br $next)))
              (if (i32.ne (local.get $n) (i32.const 1000)) (then (unreachable)))
              (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
            (local.get $wrong)))"""
    ).exports
    results = []
    threads = [
        threading.Thread(target=lambda i=i: results.append(exports.work(3000, i))) for i in range(3)
    ]
    before = heap.collections
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [0, 0, 0]
    assert heap.collections > before
    assert heap.size < 64 << 20


# -- traps -----------------------------------------------------------------------------------------

TRAPS = """
(module
  (type $s (sub (struct (field (mut i8)))))
  (type $t (sub $s (struct (field (mut i8)) (field i64))))
  (type $a (array (mut i16)))
  (func (export "get") (param (ref null $s)) (result i32) (struct.get_u $s 0 (local.get 0)))
  (func (export "set") (param (ref null $s)) (struct.set $s 0 (local.get 0) (i32.const 1)))
  (func (export "length") (param (ref null $a)) (result i32) (array.len (local.get 0)))
  (func (export "element") (param i32) (result i32)
    (array.get_s $a (array.new $a (i32.const -2) (i32.const 3)) (local.get 0)))
  (func (export "cast") (param (ref null $s)) (drop (ref.cast (ref $t) (local.get 0))))
  (func (export "i31") (param i31ref) (result i32) (i31.get_s (local.get 0)))
  (func (export "nonnull") (param anyref) (drop (ref.as_non_null (local.get 0))))
  (func (export "s") (result (ref $s)) (struct.new_default $s))
  (func (export "many") (param $n i32) (result (ref $a))
    (array.new_default $a (local.get $n)))
  (func $hoard (export "hoard") (param $n i32) (result (ref null $t)) (local $t (ref null $t))
    (if (i32.eqz (local.get $n)) (then (return (ref.null $t))))
    (local.set $t (struct.new_default $t))
    (drop (call $hoard (i32.sub (local.get $n) (i32.const 1))))
    (local.get $t)))
"""


@pytest.fixture(scope="module")
def traps():
    return run(TRAPS, stack_size=1 << 18).exports


@pytest.mark.parametrize(
    ("name", "argument", "kind"),
    [
        ("get", None, TrapKind.NULL_STRUCTURE_REFERENCE),
        ("set", None, TrapKind.NULL_STRUCTURE_REFERENCE),
        ("length", None, TrapKind.NULL_ARRAY_REFERENCE),
        ("element", 3, TrapKind.ARRAY_OUT_OF_BOUNDS),
        ("element", -1, TrapKind.ARRAY_OUT_OF_BOUNDS),
        ("cast", None, TrapKind.CAST_FAILURE),
        ("i31", None, TrapKind.NULL_I31_REFERENCE),
        ("nonnull", None, TrapKind.NULL_REFERENCE),
        ("many", -1, TrapKind.OUT_OF_MEMORY),
        ("hoard", 1_000_000, TrapKind.STACK_OVERFLOW),
    ],
)
def test_traps_tell_what_and_where(traps, name, argument, kind):
    with pytest.raises(Trap) as caught:
        traps[name](argument)
    assert caught.value.kind is kind
    assert {frame.function_name for frame in caught.value.frames} == {name}
    assert traps.element(2) == -2  # all is well afterwards


def test_casts_to_what_it_is_and_is_not(traps):
    s = traps.s()
    assert traps.get(s) == 0
    with pytest.raises(Trap, match="cast"):
        traps.cast(s)


def test_a_full_heap():
    limit = heap.limit
    heap.limit = 4 << 20
    try:
        exports = run(
            """(module (type $n (struct (field (ref null $n))))
              (global $all (mut (ref null $n)) (ref.null $n))
              (func (export "fill") (loop $more
                (global.set $all (struct.new $n (global.get $all))) (br $more)))
              (func (export "forget") (global.set $all (ref.null $n)))
              (func (export "one") (result (ref $n)) (struct.new_default $n)))"""
        ).exports
        with pytest.raises(Trap) as caught:
            exports.fill()
        assert caught.value.kind is TrapKind.OUT_OF_MEMORY
        exports.forget()
        assert exports.one() is not None
    finally:
        heap.limit = limit
