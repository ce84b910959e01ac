"""The process that compiles, as its client sees it.

It is `python -m wasmote.compile.server`, which holds LLVM, so this process needs none of its memory
and survives its crashes. One serves all modules of this process, one after the other, and ends when
there was nothing to do for some seconds.
"""

import json
import os
import struct
import sys
import threading
import time

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: Seconds without a request after which the process ends.
PATIENCE = 3.0
_LENGTHS = struct.Struct("<IQ")


class WorkerError(Exception):
    """The process cannot be started, or it has ended; says why."""


class Worker:
    """A process that compiles, started with the first request."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process = 0
        self._to = self._from = -1
        self._last = 0.0  # request

    def request(self, order: "dict[str, Any]", data: bytes) -> "tuple[dict[str, Any], bytes]":
        """Send an order and bytes, wait for the answer and its bytes. Raises WorkerError."""
        with self.lock:
            if not self.process:
                self._start()
            try:
                send(self._to, order, data)
                answer = receive(self._from)
                self._last = time.monotonic()
                return answer
            except (OSError, EOFError, ValueError) as error:
                self.stop()
                raise WorkerError(f"the compiler has ended unexpectedly: {error!r}") from None

    def _start(self) -> None:
        from importlib.util import find_spec

        if not sys.executable or find_spec("llvmlite") is None:
            raise WorkerError("compiling needs the package llvmlite: pip install 'wasmote[build]'")
        given, self._to = os.pipe()
        self._from, answers = os.pipe()
        nothing = os.open(os.devnull, os.O_WRONLY)
        paths = [_PACKAGES, *filter(None, sys.path)]
        try:
            self.process = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", "wasmote.compile.server"],
                {**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, given, 0),
                    (os.POSIX_SPAWN_DUP2, answers, 1),
                    (os.POSIX_SPAWN_DUP2, nothing, 2),
                ],
            )
        except OSError as error:
            os.close(self._to)
            os.close(self._from)
            raise WorkerError(f"cannot start a process that compiles: {error}") from None
        finally:
            for each in (given, answers, nothing):
                os.close(each)
        self._last = time.monotonic()
        threading.Thread(target=self._retire, daemon=True).start()

    def _retire(self) -> None:
        """A thread: end the process when nobody needs it any more."""
        own = self.process
        while True:
            time.sleep(PATIENCE)
            with self.lock:
                if self.process != own:
                    return
                if time.monotonic() - self._last >= PATIENCE:
                    self.stop()
                    return

    def stop(self) -> None:
        """Let the process end; a request under way fails."""
        process, self.process = self.process, 0
        if process:
            os.close(self._to)
            os.close(self._from)
            try:
                os.waitpid(process, 0)
            except OSError:  # the program waits for all its children
                pass

    def forget(self) -> None:
        """In a child of this process: the worker is the parent's."""
        self.lock = threading.Lock()
        if self.process:
            self.process = 0
            os.close(self._to)
            os.close(self._from)


def send(file: int, order: "dict[str, Any]", data: bytes) -> None:
    """Write a message: two lengths, JSON, bytes."""
    head = json.dumps(order).encode()
    for part in (_LENGTHS.pack(len(head), len(data)) + head, data):
        view = memoryview(part)
        while view:
            view = view[os.write(file, view) :]


def receive(file: int) -> "tuple[dict[str, Any], bytes]":
    """Read a message. Raises EOFError where there is none."""
    head, size = _LENGTHS.unpack(_exactly(file, _LENGTHS.size))
    order: dict[str, Any] = json.loads(_exactly(file, head))
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
os.register_at_fork(after_in_child=WORKER.forget)
