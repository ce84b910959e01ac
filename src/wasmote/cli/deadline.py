"""`--timeout`: stops a program that takes too long."""

import signal
from types import FrameType

from wasmote.errors import Trap, TrapKind

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import timeout

#: Seconds that WebAssembly code has to end by itself, and what follows after that.
_GRACE = 0.1


class Deadline:
    """Within this context, a `Trap` of kind DEADLINE is raised after so many milliseconds.

    WebAssembly code ends where it is, so the trap has a backtrace; whatever else runs then (a host
    function that sleeps, say) is left by an exception. Works on the main thread only, as all
    signals of Python.
    """

    def __init__(self, milliseconds: int | None) -> None:
        self.milliseconds = milliseconds
        self._timeout: timeout | None = None

    def __enter__(self) -> "Deadline":
        if self.milliseconds is not None:
            from wasmote import timeout

            seconds = self.milliseconds / 1000
            self._timeout = timeout(seconds).__enter__()
            self._previous = signal.signal(signal.SIGALRM, _expire)
            signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE, _GRACE)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous)
            self._timeout.__exit__()


def _expire(number: int, frame: FrameType | None) -> None:
    raise Trap(TrapKind.DEADLINE)
