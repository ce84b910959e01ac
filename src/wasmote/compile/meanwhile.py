"""Compiles the parts of a module in the order in which a process that runs it needs them."""

import select
from collections.abc import Callable, Iterable

from wasmote.compile.partition import PART_SIZE, Partition, Plan
from wasmote.compile.pipeline import compile_partition, prepare
from wasmote.compile.workers import Worker, Workers
from wasmote.errors import CompileError

#: What a wish is worth when the next ones come.
_FADING = 0.7
#: Gets each part with its object file; None: it cannot be compiled, but nobody depends on it.
Deliver = Callable[[Partition, bytes | None], object]


class Schedule:
    """What is to be compiled, and what of it a process needs first."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._part_of = {
            body.index: part.number for part in plan.partitions for body in part.bodies
        }
        self._weights = [0.0] * len(plan.partitions)
        self._todo = list(plan.partitions)
        self._loops: list[Partition] = []

    def wish(
        self, functions: Iterable[tuple[int, float]], loops: Iterable[tuple[int, int]] = ()
    ) -> None:
        """More of what the process spends its time in: functions, and how much there is to be
        gained by each; loops that it is in, which code is to begin at.
        """
        self._weights = [_FADING * weight for weight in self._weights]
        for index, weight in functions:
            number = self._part_of.get(index)
            if number is not None:
                self._weights[number] += weight
        self._loops += [self.loop_part(*loop) for loop in loops]

    def loop_part(self, index: int, start: int) -> Partition:
        """A part that is code which begins at a loop."""
        full = self._plan.partitions[self._part_of[index]].full
        return Partition(-1, (), False, 0.0, full, ((index, start),))

    def next(self) -> Partition | None:
        """Take out what to compile next: the glue, loops, what is wished most, the largest part."""
        if self._loops and not any(part.glue for part in self._todo):
            return self._loops.pop(0)
        if not self._todo:
            return None
        best = max(self._todo, key=lambda p: (p.glue, self._weights[p.number], p.size))
        self._todo.remove(best)
        return best


def compile_meanwhile(
    plan: Plan,
    jobs: int,
    schedule: Schedule,
    incoming: int,
    listen: Callable[[], bool],
    deliver: Deliver,
) -> list[bytes]:
    """The object files of all parts, in their order; `deliver` gets each when it is there.

    When the file `incoming` can be read, `listen` reads from it, and returns whether more may come.
    Raises CompileError. Whatever happens, no process is left behind.
    """
    objects: dict[int, bytes] = {}

    def made(partition: Partition, raw: bytes | None) -> None:
        if raw is not None and not partition.loops:
            objects[partition.number] = raw
        deliver(partition, raw)

    if sum(part.size for part in plan.partitions) <= PART_SIZE:
        _compile_here(plan, schedule, made)
    else:
        _compile_there(plan, jobs, schedule, incoming, listen, made)
    return [objects[part.number] for part in plan.partitions]


def _compile_here(plan: Plan, schedule: Schedule, made: Deliver) -> None:
    """A small module, without other processes."""
    while (partition := schedule.next()) is not None:
        made(partition, compile_partition(plan, partition))


def _compile_there(
    plan: Plan,
    jobs: int,
    schedule: Schedule,
    incoming: int,
    listen: Callable[[], bool],
    made: Deliver,
) -> None:
    """A large module, by so many processes."""
    prepare(plan.options)
    files = [incoming]
    with Workers(plan, min(jobs, len(plan.partitions))) as workers:
        idle = list(workers.all)
        while True:
            while idle and (partition := schedule.next()) is not None:
                idle.pop().begin(partition)
            if len(idle) == len(workers.all):
                return
            ready = workers.ready(*files)
            while files and select.select(files, [], [], 0)[0]:
                if not listen():
                    files.clear()
            for worker in ready:
                made(*_finished(worker))
                idle.append(worker)


def _finished(worker: Worker) -> tuple[Partition, bytes | None]:
    """What a process has made. Raises CompileError, but not for loops."""
    partition = worker.part
    try:
        return worker.finish()[:2]
    except CompileError:
        if not (partition and partition.loops) or worker.process.poll() is not None:
            raise
        worker.part = None
        return partition, None
