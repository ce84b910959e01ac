"""Compiles the parts of a module in the order in which a process that runs it needs them."""

import select
from collections.abc import Callable, Iterable

from wasmote.compile.partition import PART_SIZE, Partition, Plan
from wasmote.compile.pipeline import compile_partition
from wasmote.compile.workers import Workers

#: What a wish is worth when the next ones come.
_FADING = 0.7


class Wishes:
    """Which functions a process spends its time in."""

    def __init__(self, plan: Plan) -> None:
        self._part_of = {
            body.index: part.number for part in plan.partitions for body in part.bodies
        }
        self._weights = [0.0] * len(plan.partitions)

    def add(self, functions: Iterable[tuple[int, float]]) -> None:
        """More of them: indices, and how much there is to be gained."""
        self._weights = [_FADING * weight for weight in self._weights]
        for index, weight in functions:
            number = self._part_of.get(index)
            if number is not None:
                self._weights[number] += weight

    def next(self, todo: list[Partition]) -> Partition:
        """Take out what to compile next: the glue, what is wished most, else the largest part."""
        best = max(todo, key=lambda p: (p.glue, self._weights[p.number], p.size))
        todo.remove(best)
        return best


def compile_meanwhile(
    plan: Plan,
    jobs: int,
    wishes: Wishes,
    incoming: int,
    listen: Callable[[], bool],
    deliver: Callable[[Partition, bytes], object],
) -> list[bytes]:
    """The object files of all parts, in their order; `deliver` gets each when it is there.

    When the file `incoming` can be read, `listen` reads from it, and returns whether more may come.
    Raises CompileError. Whatever happens, no process is left behind.
    """
    if sum(part.size for part in plan.partitions) <= PART_SIZE:
        objects = _compile_here(plan, wishes, deliver)
    else:
        objects = _compile_there(plan, jobs, wishes, incoming, listen, deliver)
    return [objects[part.number] for part in plan.partitions]


def _compile_here(
    plan: Plan, wishes: Wishes, deliver: Callable[[Partition, bytes], object]
) -> dict[int, bytes]:
    """A small module, without other processes."""
    todo, objects = list(plan.partitions), {}
    while todo:
        partition = wishes.next(todo)
        objects[partition.number] = compile_partition(plan, partition)
        deliver(partition, objects[partition.number])
    return objects


def _compile_there(
    plan: Plan,
    jobs: int,
    wishes: Wishes,
    incoming: int,
    listen: Callable[[], bool],
    deliver: Callable[[Partition, bytes], object],
) -> dict[int, bytes]:
    """A large module, by so many processes."""
    todo = list(plan.partitions)
    objects: dict[int, bytes] = {}
    open_files = [incoming]
    with Workers(plan, min(jobs, len(todo))) as workers:
        for worker in workers.all:
            worker.begin(wishes.next(todo))
        while len(objects) < len(plan.partitions):
            ready = workers.ready(*open_files)
            while open_files and select.select(open_files, [], [], 0)[0]:
                if not listen():
                    open_files.clear()
            for worker in ready:
                partition, raw, _ = worker.finish()
                objects[partition.number] = raw
                if todo:
                    worker.begin(wishes.next(todo))
                deliver(partition, raw)
    return objects
