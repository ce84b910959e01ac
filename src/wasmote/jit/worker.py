"""The process that compiles, as its client sees it.

It is `wasmote.compile.server`, which holds LLVM, so this process needs none of its memory
and survives its crashes. One serves all modules of this process, one after the other, and ends when
there was nothing to do for some seconds.
"""

import marshal
import os
import select
import struct
import sys

from wasmote.jit.settings import SETTINGS

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any, Protocol

    from wasmote.jit.sampling import Wishes

    class Client(Protocol):
        """Who waits for compiled code that comes in parts."""

        def take(self, part: dict[str, Any], data: bytes) -> bool:
            """A part has come. False: nobody needs it."""

        def finish(self, answer: dict[str, Any], data: bytes) -> None:
            """That was all, or it cannot be compiled."""

        def wishes(self) -> Wishes:
            """What should be next."""


_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: Seconds without a request after which the process ends.
PATIENCE = 3.0
#: Looks at a program that has all of its code before nobody looks any more. Not each look finds the
#: loop that it is in: it may have been asked at a call.
QUIET = 30
#: Seconds between two looks at where a program spends its time, while its module is compiled.
INTERVAL = 0.1
#: What the process runs, from the beginning at low priority, as the program is just about to
#: start. What a terminal sends to the program is not meant for it, so it has a session of its own;
#: Linux may share processors among sessions first, and has another priority for that.
_PROGRAM = """
import os, sys
os.setsid()
os.nice(int(sys.argv[1]))
try:
    with open("/proc/self/autogroup", "w") as file:
        file.write(sys.argv[1])
except OSError:
    pass
from wasmote.compile.server import main
main()
"""
_LENGTHS = struct.Struct("<IQ")


class WorkerError(Exception):
    """The process cannot be started, or it has ended; says why."""


class Worker:
    """A process that compiles, started with the first request. For one thread."""

    def __init__(self) -> None:
        self.process = 0
        self.finishes = False  # what it is about to do, also if this process ends
        self._to = self._from = -1

    def request(
        self,
        order: "dict[str, Any]",
        data: "bytes | memoryview",
        client: "Client",
        alarm: int,
        more: int,
    ) -> None:
        """Send an order and bytes, and give the client what comes. Raises WorkerError, also when
        the file `alarm` can be read meanwhile. While nothing else is asked for, so that `more` can
        be read, the client is watched for some time after it has all.
        """
        if not self.process:
            self._start()
        self.finishes = order["finish"]
        try:
            send(self._to, order, data)
            self._listen(client, alarm, more)
            self.finishes = False
        except (OSError, EOFError, ValueError) as error:
            self.stop()
            raise WorkerError(f"the compiler has ended unexpectedly: {error!r}") from None

    def _listen(self, client: "Client", alarm: int, more: int) -> None:
        """Until all is there that was asked for. Where code comes in parts, the client may also ask
        for code that begins at a loop, and does so for some time after the end.
        """
        pause = None
        expected = 0  # parts with loops
        left, finished = QUIET, False
        while left > 0 or expected:
            watched = [self._from, alarm]
            if finished and not expected:
                watched.append(more)
            ready = select.select(watched, [], [], pause)[0]
            if alarm in ready:
                self.stop()
                raise WorkerError("the process ends")
            if ready == [more]:
                return
            if not ready:
                wishes = client.wishes()
                expected += len(wishes.loops)
                if finished:
                    left = QUIET if wishes.loops else left - 1
                if wishes.loops or not finished:
                    message = {"wishes": wishes.functions, "loops": wishes.loops}
                    send(self._to, message, b"")
                continue
            answer, data = receive(self._from)
            if "part" in answer:
                pause = INTERVAL  # from the first part on, there is something to wish for
                expected -= answer["part"].get("wished", 0)
                if not client.take(answer["part"], data):
                    self.stop()
                    raise WorkerError("nobody needs the code any more")
            else:
                client.finish(answer, data)
                if pause is None or "refused" in answer:
                    return
                finished = True

    def _start(self) -> None:
        from importlib.util import find_spec

        if not sys.executable or find_spec("llvmlite") is None:
            raise WorkerError("compiling needs the package llvmlite: pip install 'wasmote[build]'")
        given, to = os.pipe()
        come, answers = os.pipe()
        nothing = os.open(os.devnull, os.O_WRONLY)
        paths = [_PACKAGES, *filter(None, sys.path)]
        try:
            process = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-c", _PROGRAM, str(SETTINGS.nice)],
                {**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, given, 0),
                    (os.POSIX_SPAWN_DUP2, answers, 1),
                    (os.POSIX_SPAWN_DUP2, nothing, 2),
                ],
            )
        except OSError as error:
            os.close(to)
            os.close(come)
            raise WorkerError(f"cannot start a process that compiles: {error}") from None
        finally:
            for each in (given, answers, nothing):
                os.close(each)
        self.process, self._to, self._from = process, to, come

    def stop(self) -> None:
        """Let the process end: now, unless it is to finish what it is about to do."""
        process, self.process = self.process, 0
        if process:
            os.close(self._to)
            os.close(self._from)
            try:
                os.waitpid(process, os.WNOHANG if self.finishes else 0)
            except OSError:  # the program waits for all its children
                pass

    def forget(self) -> None:
        """In a child of this process: the worker is the parent's."""
        if self.process:
            self.process = 0
            os.close(self._to)
            os.close(self._from)


def send(file: int, order: "dict[str, Any]", data: "bytes | memoryview") -> None:
    """Write a message: two lengths, an order, bytes. Both sides are the same Python, so `marshal`,
    which is there anyway, knows how.
    """
    head = marshal.dumps(order)
    for part in (_LENGTHS.pack(len(head), len(data)) + head, data):
        view = memoryview(part)
        while view:
            view = view[os.write(file, view) :]


def receive(file: int) -> "tuple[dict[str, Any], bytes]":
    """Read a message. Raises EOFError where there is none."""
    head, size = _LENGTHS.unpack(_exactly(file, _LENGTHS.size))
    order: dict[str, Any] = marshal.loads(_exactly(file, head))
    return order, _exactly(file, size)


def _exactly(file: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(file, min(size, 1 << 20))
        if not part:
            raise EOFError("the other side is gone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


WORKER = Worker()
