"""`--timeout`: stops a program that takes too long."""

import signal
from types import FrameType

from wasmote.errors import Trap, TrapKind

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote import Instance

#: Seconds that code has to end after it was interrupted.
_GRACE = 0.1


class Deadline:
    """Within this context, a `Trap` of kind INTERRUPTED is raised after so many milliseconds.

    WebAssembly code of `instance` is interrupted where it is, so the trap has a backtrace;
    whatever else runs then (a host function that sleeps, say) is left by an exception. Works on the
    main thread only, as all signals of Python.
    """

    def __init__(self, milliseconds: int | None) -> None:
        self.milliseconds = milliseconds
        self.instance: Instance | None = None
        self._expired = False

    def __enter__(self) -> "Deadline":
        if self.milliseconds is not None:
            self._previous = signal.signal(signal.SIGALRM, self._expire)
            signal.setitimer(signal.ITIMER_REAL, self.milliseconds / 1000, _GRACE)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.milliseconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._previous)

    def _expire(self, number: int, frame: FrameType | None) -> None:
        first, self._expired = not self._expired, True
        if first and self.instance is not None and self.instance.interrupt():
            return
        raise Trap(TrapKind.INTERRUPTED)
