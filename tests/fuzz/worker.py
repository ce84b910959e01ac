"""Processes that run the engines, so that a crash or hang in one does not end the fuzzer.

`python -m tests.fuzz.worker ENGINE FEATURES` is such a process.
"""

import contextlib
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.engines import Wasmote, Wasmtime
from tests.fuzz.observe import Binaries, Call, Observation

#: The other side, and the same with all NaNs canonical.
ORACLE, CANONICAL = "wasmtime", "wasmtime-canonical-nans"
#: Seconds that a module may take before it counts as a hang.
MODULE_SECONDS = 60
_ROOT = Path(__file__).parents[2]
_READY = b"ready"


def engine(name: str, features: frozenset[str]) -> Callable[[Binaries, Any], Observation]:
    """What runs modules: Wasmote takes the calls to make, the other side the seed of its plan."""
    if name in (ORACLE, CANONICAL):
        return Wasmtime(features, canonical_nans=name == CANONICAL).observe
    return Wasmote(name).observe


def serve(name: str, features: frozenset[str]) -> None:
    """Answer pickled arguments of `observe` on standard input with pickled observations."""
    observe = engine(name, features)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(_READY)
    sink.flush()
    while head := source.read(4):
        binaries, what = pickle.loads(source.read(struct.unpack("<I", head)[0]))
        reply = pickle.dumps(observe(binaries, what))
        sink.write(struct.pack("<I", len(reply)) + reply)
        sink.flush()


class Worker:
    """A process with an engine; a new one replaces it when it crashes or hangs."""

    def __init__(self, engine: str, features: frozenset[str]) -> None:
        self.engine, self.features = engine, features
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", self.engine, ",".join(self.features)],
            cwd=_ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout
        self.process.stdout.read(len(_READY))  # loading may have to compile the core first

    def observe(self, binaries: Binaries, what: list[Call] | int) -> Observation | str:
        """The observation, or what became of the process."""
        request = pickle.dumps((binaries, what))
        source, sink = self.process.stdout, self.process.stdin
        assert source and sink
        with contextlib.suppress(BrokenPipeError):
            sink.write(struct.pack("<I", len(request)) + request)
            sink.flush()
            if not select.select([source], [], [], MODULE_SECONDS)[0]:
                self.close()
                self.start()
                return "hang"
            head = source.read(4)
            if len(head) == 4:
                reply = source.read(struct.unpack("<I", head)[0])
                observation: Observation = pickle.loads(reply)
                return observation
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(MODULE_SECONDS)
        code = self.close()
        self.start()
        return f"crash ({signal.Signals(-code).name if code < 0 else code})"

    def close(self) -> int:
        """End the process, if it has not ended; returns its exit code."""
        with contextlib.suppress(BrokenPipeError), self.process:
            self.process.kill()
        return self.process.returncode


if __name__ == "__main__":
    serve(sys.argv[1], frozenset(sys.argv[2].split(",")))
