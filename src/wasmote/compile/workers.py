"""Shares the parts of a module among processes: LLVM uses one processor, whatever threads there
are. A mistake of LLVM's ends such a process, and not this one.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import IO, Any

from wasmote.compile.partition import Partition, Plan
from wasmote.errors import CompileError

#: Told after each part: that part, and how many seconds of one processor it took.
Progress = Callable[[Partition, float], object]


def compile_in_workers(
    plan: Plan, jobs: int | None = None, progress: Progress | None = None
) -> list[bytes]:
    """The object files of all parts, in their order, made by so many processes.

    Raises CompileError. Whatever happens, no process is left behind.
    """
    # What takes longest first, so that no process ends long after the others.
    todo = sorted(plan.partitions, key=lambda part: part.size)
    count = min(jobs or _processors(), len(todo))
    objects: dict[int, bytes] = {}
    with _Workers(plan, count) as workers:
        for worker in workers.all:
            worker.begin(todo.pop())
        while len(objects) < len(plan.partitions):
            for worker in workers.ready():
                partition, raw, seconds = worker.finish()
                objects[partition.number] = raw
                if progress:
                    progress(partition, seconds)
                if todo:
                    worker.begin(todo.pop())
    return [objects[part.number] for part in plan.partitions]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


class _Worker:
    """One process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.part: Partition | None = None
        self.messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        path = os.pathsep.join(filter(None, sys.path))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "wasmote.compile.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.messages,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.process.stdin and self.process.stdout
        self.to = Connection(os.dup(self.process.stdin.fileno()), readable=False)
        self.answers = Connection(os.dup(self.process.stdout.fileno()), writable=False)
        self.process.stdin.close()
        self.process.stdout.close()

    def prepare(self) -> None:
        """Hand over the module."""
        self._send((self.plan.source.binary, self.plan.options, self.plan.part_size))

    def _send(self, message: Any) -> None:
        try:
            self.to.send(message)
        except BrokenPipeError:
            raise self._failure() from None

    def begin(self, partition: Partition) -> None:
        self.part = partition
        self._send(partition.number)

    def finish(self) -> tuple[Partition, bytes, float]:
        """The part that was begun, its object file, and the seconds that it took."""
        try:
            answer, seconds = self.answers.recv()
        except (EOFError, ConnectionResetError):
            raise self._failure() from None
        if isinstance(answer, str):
            raise CompileError(answer)
        assert self.part
        partition, self.part = self.part, None
        return partition, answer, seconds

    def _failure(self) -> CompileError:
        """Why the process has ended."""
        status = self.process.wait()
        self.messages.seek(0)
        last = self.messages.read().decode(errors="replace").strip().rpartition("\n")[2]
        why = f"it was ended by {signal.Signals(-status).name}" if status < 0 else ""
        why = ": ".join(filter(None, (why, last))) or f"exit code {status}"
        return CompileError(f"the compiler failed on {described(self.plan, self.part)} ({why})")

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.to.close()
        self.answers.close()
        self.messages.close()


class _Workers:
    """Processes that end with the `with` statement."""

    def __init__(self, plan: Plan, count: int) -> None:
        self.all: list[_Worker] = []
        try:
            for _ in range(count):
                self.all.append(_Worker(plan))
                self.all[-1].prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def ready(self) -> list[_Worker]:
        """Those that have an answer, or have ended; waits for one."""
        answers = wait([worker.answers for worker in self.all if worker.part])
        return [worker for worker in self.all if worker.answers in answers]

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self.all:
            worker.end()


def described(plan: Plan, partition: Partition | None) -> str:
    """Which functions a part has."""
    if partition is None:
        return "this module"
    names = [plan.source.name(body.index) for body in partition.bodies]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"the functions {shown}" if names else "the code that calls in and out"
