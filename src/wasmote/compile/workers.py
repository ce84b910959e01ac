"""Shares the parts of a module among processes: LLVM uses one processor, whatever threads there
are. A mistake of LLVM's ends such a process, and not this one.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import IO, Any

from wasmote.compile.partition import Partition, Plan
from wasmote.compile.pipeline import prepare
from wasmote.compile.worker import serve
from wasmote.errors import CompileError

#: Told after each part: that part, and how many seconds of one processor it took.
Progress = Callable[[Partition, float], object]


def compile_in_workers(
    plan: Plan, jobs: int | None = None, progress: Progress | None = None
) -> list[bytes]:
    """The object files of all parts, in their order, made by so many processes.

    Raises CompileError. Whatever happens, no process is left behind.
    """
    prepare(plan.options)
    # What takes longest first, so that no process ends long after the others.
    todo = sorted(plan.partitions, key=lambda part: part.size)
    count = min(jobs or _processors(), len(todo))
    objects: dict[int, bytes] = {}
    with Workers(plan, count) as workers:
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


class _Copy:
    """A copy of this process that does one thing and ends; used as `subprocess.Popen` is."""

    def __init__(self, action: Callable[[], object]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode: int | None = None
        # Ctrl-C is for the process that waits, from the copy's first instruction on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.pid = os.fork()
            if not self.pid:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if not self.pid:
            status = 1
            try:
                action()
                status = 0
            except BaseException:  # nothing may go on here as if it were the original
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)

    def poll(self) -> int | None:
        """The exit code if the process has ended; negative: the signal that ended it."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        status = self._wait(0)
        assert status is not None
        return status

    def _wait(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _started(
    incoming: Connection, outgoing: Connection, messages: IO[bytes]
) -> subprocess.Popen[bytes]:
    """A new process that knows nothing yet."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "wasmote.compile.worker"],
        stdin=incoming.fileno(),
        stdout=outgoing.fileno(),
        stderr=messages,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


class Worker:
    """One process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.part: Partition | None = None
        self.messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        incoming, self.to = Pipe(duplex=False)
        self.answers, outgoing = Pipe(duplex=False)
        # A copy of this process knows everything at once. But in the copy of one with several
        # threads, what they have locked stays locked.
        self.is_copy = threading.active_count() == 1
        self.process: _Copy | subprocess.Popen[bytes]
        if self.is_copy:
            self.process = _Copy(partial(self._work, incoming, outgoing))
        else:
            self.process = _started(incoming, outgoing, self.messages)
        incoming.close()
        outgoing.close()

    def prepare(self) -> None:
        """Hand over the module to a process that does not have it."""
        if not self.is_copy:
            self._send((self.plan.source.binary, self.plan.options, self.plan.part_size))

    def _work(self, incoming: Connection, outgoing: Connection) -> None:
        """What the copy does."""
        self.to.close()  # else it would not see that nobody has orders any more
        self.answers.close()
        os.dup2(self.messages.fileno(), 1)
        os.dup2(1, 2)
        serve(incoming, outgoing, self.plan)

    def _send(self, message: Any) -> None:
        try:
            self.to.send(message)
        except BrokenPipeError:
            raise self._failure() from None

    def begin(self, partition: Partition) -> None:
        self.part = partition
        self._send(partition)

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


class Workers:
    """Processes that end with the `with` statement."""

    def __init__(self, plan: Plan, count: int) -> None:
        self.all: list[Worker] = []
        try:
            for _ in range(count):
                self.all.append(Worker(plan))
                self.all[-1].prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def ready(self, *others: int) -> list[Worker]:
        """Those that have an answer, or have ended; waits for one, or until one of the other files
        can be read.
        """
        answers = wait([*(worker.answers for worker in self.all if worker.part), *others])
        return [worker for worker in self.all if worker.answers in answers]

    def __enter__(self) -> "Workers":
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
