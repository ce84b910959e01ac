"""The thread that sees to compiled code: one for all modules of this process.

Most of the time it waits: until a program has used enough processor time, and for the process that
compiles. It ends when there is nothing to do, and before the process does.
"""

import _thread
import atexit
import os
import select
import threading
import time

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.jit.tier import Tier

#: Seconds between looks at the processor time of a program that does little, at most.
_LONGEST_PAUSE = 1.0
#: Seconds that a program gets to come to where it spends its time.
_MOMENT = 0.02
#: Where a thread is told that there is more to do, and where it hears that the process ends.
_MORE, _ENDS = 1, 2
#: Seconds that the process's end waits for the thread.
_PATIENCE = 2.0


class _Waiting:
    """A tier, and when it is its turn: at which times of the processor's clock and ours."""

    __slots__ = ("processor", "tier", "time")

    def __init__(self, tier: "Tier", processor: float, time: float) -> None:
        self.tier, self.processor, self.time = tier, processor, time

    def left(self) -> float:
        """Seconds that it takes at least."""
        return max(self.processor - time.process_time(), self.time - time.monotonic())


class Background:
    """The thread, and what it is to do."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._current: Tier | None = None
        self._busy = 0.0  # when the compiler had something to do; 0: it has ended since
        self._running: _thread.LockType | None = None  # held by the thread
        self._pipes: tuple[int, ...] = ()  # two: there is more to do, and the process ends
        self._ended = False

    def add(self, tier: "Tier", delay: float | None, wait: bool) -> None:
        """Have a tier compiled: once the process has used `delay` seconds more of processor time,
        or else in a moment; at once if somebody waits for it.
        """
        processor = time.process_time() + delay if delay is not None else 0.0
        moment = 0.0 if wait or delay is not None else time.monotonic() + _MOMENT
        with self.lock:
            self._waiting.append(_Waiting(tier, processor, moment))
            if self._running is None:
                self._start()
            else:
                os.write(self._pipes[_MORE], b"\0")

    def _start(self) -> None:
        self._pipes = (*os.pipe(), *os.pipe())
        self._running = _thread.allocate_lock()
        self._running.acquire()
        _thread.start_new_thread(self._run, (self._running,))

    def _run(self, running: "_thread.LockType") -> None:
        try:
            while self._step():
                pass
        finally:
            running.release()

    def _step(self) -> bool:
        """Wait for something to do, and do it. False: there is nothing more."""
        with self.lock:
            ready = [each for each in self._waiting if each.left() <= 0]
            if ready and not self._ended:
                self._waiting.remove(ready[0])
                self._current = ready[0].tier
            pause = min((each.left() for each in self._waiting), default=None)
        if self._ended:
            self._stop_worker()
            return False
        if self._current is not None:
            self._current.compile(self._pipes[_ENDS], self._pipes[0])
            self._current = None
            self._busy = time.monotonic()
            return True
        if self._sleep(pause):
            return True
        if pause is None:
            return not self._retire()
        if self._busy and self._is_patient_enough():
            self._busy = 0.0
            self._stop_worker()
        return True

    def _is_patient_enough(self) -> bool:
        """Whether the compiler should end though something waits: for the processor time of a
        program that may never do anything again.
        """
        from wasmote.jit.worker import PATIENCE

        return time.monotonic() - self._busy > PATIENCE

    def _sleep(self, pause: float | None) -> bool:
        """Until it is time, or something has changed: then True. A program that does little is not
        looked at all the time.
        """
        if pause is None:
            from wasmote.jit.worker import PATIENCE

            seconds = PATIENCE
        else:
            seconds = min(max(pause, 0.001), _LONGEST_PAUSE)
        more = self._pipes[0]
        ready = select.select([more, self._pipes[_ENDS]], [], [], seconds)[0]
        if more in ready:
            os.read(more, 64)
        return bool(ready)

    def _retire(self) -> bool:
        """There was nothing to do for some time."""
        self._stop_worker()
        with self.lock:
            if self._waiting:
                return False
            self._close()
            return True

    def _close(self) -> None:
        for each in self._pipes:
            os.close(each)
        self._pipes = ()
        self._running = None

    def _stop_worker(self) -> None:
        import sys

        if "wasmote.jit.worker" in sys.modules:
            from wasmote.jit.worker import WORKER

            WORKER.stop()

    def end(self) -> None:
        """The process ends: so does the thread, and what it has begun unless it is to be
        finished.
        """
        with self.lock:
            running, self._ended = self._running, True
            if running is not None:
                os.write(self._pipes[_ENDS + 1], b"\0")
        if running is not None:
            running.acquire(timeout=_PATIENCE)

    def forget(self) -> None:
        """In a child of this process, which has no such thread: begin again with what has no code
        yet.
        """
        waiting, current = self._waiting, self._current
        inherited = self._pipes
        self._reset()
        for each in inherited:
            os.close(each)
        import sys

        if "wasmote.jit.worker" in sys.modules:
            from wasmote.jit.worker import WORKER

            WORKER.forget()
        tiers = [each.tier for each in waiting]
        if current is not None and current.is_left_alone():
            tiers.append(current)
        for tier in tiers:
            self.add(tier, 0.0, wait=False)


BACKGROUND = Background()
atexit.register(BACKGROUND.end)
os.register_at_fork(after_in_child=BACKGROUND.forget)
