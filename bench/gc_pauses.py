"""How long a program waits for the garbage collector: python bench/gc_pauses.py

Each scenario fills about 40 MB of a heap of 64 MB, then makes garbage in small steps, and measures
the processor time of each step. A step without the collector takes some 20 microseconds. Shows how
long steps took, at the median and at the worst, and how many objects were made in a second.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Iterator

import wasmote
from wasmote.wat import wat2wasm

HEAP_SIZE = 64 << 20
#: Objects of garbage that a step makes.
STEP = 500

SCENARIOS = """
(module
  (type $node (struct (field (mut (ref null $node))) (field (mut (ref null $node)))))
  (type $row (array (mut (ref null $node))))
  (type $bytes (array (mut i8)))
  (import "host" "pause" (func $pause))
  (global $kept (mut (ref null $node)) (ref.null $node))
  (global $rows (mut (ref null $row)) (ref.null $row))
  (table $table (export "table") 2000000 (ref null $node))

  (func (export "forget")
    (global.set $kept (ref.null $node))
    (global.set $rows (ref.null $row)))

  (func $tree (param $depth i32) (result (ref $node))
    (if (result (ref $node)) (local.get $depth)
      (then (struct.new $node
        (call $tree (i32.sub (local.get $depth) (i32.const 1)))
        (call $tree (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new_default $node))))
  (func (export "trees") (param $depth i32) (global.set $kept (call $tree (local.get $depth))))

  (func (export "list") (param $n i32) (local $list (ref null $node))
    (loop $more
      (local.set $list (struct.new $node (local.get $list) (ref.null $node)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (global.set $kept (local.get $list)))

  (func (export "row") (param $n i32)
    (global.set $rows (array.new_default $row (local.get $n)))
    (loop $more
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (array.set $row (global.get $rows) (local.get $n) (struct.new_default $node))
      (br_if $more (local.get $n))))

  (func (export "fill_table") (param $n i32)
    (loop $more
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (table.set $table (local.get $n) (struct.new_default $node))
      (br_if $more (local.get $n))))

  (func $frames (export "frames") (param $depth i32) (result (ref $node))
    (local $own (ref null $node))
    (local.set $own (struct.new_default $node))
    (if (local.get $depth)
      (then (struct.set $node 0 (local.get $own)
        (call $frames (i32.sub (local.get $depth) (i32.const 1)))))
      (else (call $pause)))
    (ref.as_non_null (local.get $own)))

  (func (export "garbage") (param $n i32)
    (loop $more
      (drop (struct.new_default $node))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
)
"""


def instance(pause: "Callable[[], None]") -> wasmote.Instance:
    return wasmote.Instance(
        wasmote.Module(wat2wasm(SCENARIOS)), {"host": {"pause": pause}}, stack_size=64 << 20
    )


def steps(garbage: "wasmote.Func", seconds: float) -> Iterator[float]:
    """The processor time of each step."""
    end = time.thread_time() + seconds
    now = time.thread_time()
    while now < end:
        garbage(STEP)
        before, now = now, time.thread_time()
        yield now - before


def scenario(name: str, argument: int, seconds: float) -> list[float]:
    """The times of the steps while the heap is as the function `name` makes it."""
    times: list[float] = []

    def pause() -> None:
        times.extend(steps(exports.garbage, seconds))

    exports = instance(pause).exports
    exports[name](argument)
    if not times:
        pause()
    exports.forget()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each scenario")
    arguments = parser.parse_args()
    wasmote.heap.limit = HEAP_SIZE
    gc.disable()  # of Python, whose pauses are not of interest here
    print(f"{'live':28}{'median':>10}{'99.9 %':>10}{'worst':>10}{'objects/s':>12}")
    for label, name, argument in (
        ("nothing", "forget", None),
        ("a tree of 2 million nodes", "trees", 20),
        ("a list of 2 million nodes", "list", 2_000_000),
        ("an array of 2 million", "row", 2_000_000),
        ("a table of 2 million", "fill_table", 2_000_000),
        ("100 000 frames", "frames", 100_000),
    ):
        if argument is None:
            exports = instance(lambda: None).exports
            times = list(steps(exports.garbage, arguments.seconds))
        else:
            times = scenario(name, argument, arguments.seconds)
        times.sort()
        made = STEP * len(times) / sum(times)
        median, late = statistics.median(times), times[int(len(times) * 0.999)]
        print(
            f"{label:28}{median * 1e3:8.3f}ms{late * 1e3:8.3f}ms{times[-1] * 1e3:8.3f}ms"
            f"{made / 1e6:10.1f} M"
        )


if __name__ == "__main__":
    main()
