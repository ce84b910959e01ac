"""Running one command and saying what it cost: CPU time, wall time, peak memory."""

import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SOURCE_TREE = Path(__file__).resolve().parent.parent / "src"


@dataclass(frozen=True)
class Run:
    """One run of a command. *problem* is empty when it ended well."""

    cpu: float  # seconds, user and system, of the process and its threads
    wall: float  # seconds
    output: str
    problem: str = ""


def environment() -> dict[str, str]:
    """The environment for children: Wasmote is found in this source tree, installed or not."""
    paths = [str(SOURCE_TREE), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    # A Python that may not keep compiled modules starts more slowly than users see.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


def run(command: list[str], timeout: float) -> Run:
    """Runs *command* with no input; after *timeout* seconds it is killed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment()
        )
        killer = threading.Timer(timeout, process.kill)
        killer.start()
        _, status, usage = os.wait4(process.pid, 0)  # as wait(), but with this child's own usage
        wall = time.perf_counter() - start
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        problem = ""
        if process.returncode != 0:
            problem = "timeout" if wall >= timeout else _explain(process.returncode, _text(errors))
        return Run(usage.ru_utime + usage.ru_stime, wall, _text(output), problem)


def peak_memory(command: list[str]) -> int | None:
    """Bytes resident at most while *command*, the program ``hello``, ran; None if unknown.

    The program waits for its input after its greeting, so /proc can be read at leisure; the peak
    that wait4 reports would include this Python, whose memory a child shares until it execs.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    )
    assert process.stdin and process.stdout
    try:
        if not process.stdout.readline():
            return None
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return None
    finally:
        process.communicate()
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) * 1024 if peaks else None


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")


def _explain(code: int, errors: str) -> str:
    lines = errors.strip().splitlines()
    ending = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"{ending}: {lines[-1]}" if lines else ending
