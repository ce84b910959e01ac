"""Named semaphores of lib-pthread (semaphore.h): one for each name in a program."""

import threading
from collections.abc import Callable

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    from wasmote.api.thread_group import ThreadGroup

#: What functions return when they fail, and a semaphore's largest value.
_FAILED = -1
_MOST = 0x7FFF_FFFF


class _Semaphore:
    """A counter, and those who wait for it to be more than zero, longest first."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.waiters: list[threading.Lock] = []


class Semaphores:
    """The semaphores of the threads of one program. Numbers stand for them; none is freed before
    it is unlinked and closed.
    """

    def __init__(self, group: "ThreadGroup") -> None:
        self._group = group
        self._lock = threading.Lock()
        self._names: dict[str, int] = {}
        self._all: dict[int, _Semaphore] = {}

    def functions(self) -> "dict[str, tuple[str, Callable[..., Any]]]":
        """Signatures and functions by name."""
        return {
            "sem_open": ("($iii)i", self._open),
            "sem_close": ("(i)i", self._close),
            "sem_wait": ("(i)i", self._wait),
            "sem_trywait": ("(i)i", self._trywait),
            "sem_post": ("(i)i", self._post),
            "sem_getvalue": ("(i*)i", self._getvalue),
            "sem_unlink": ("($)i", self._unlink),
        }

    def _open(self, name: str, flags: int, mode: int, value: int) -> int:
        """The number of a semaphore; a new one with that value, if `flags` let it be made."""
        with self._lock:
            if name in self._names:
                return self._names[name]
            if not flags or not 0 <= value <= _MOST:
                return _FAILED
            number = max(self._all, default=0) + 1
            self._names[name] = number
            self._all[number] = _Semaphore(value)
            return number

    def _close(self, number: int) -> int:
        with self._lock:
            if number not in self._all:
                return _FAILED
            if number not in self._names.values():
                del self._all[number]
            return 0

    def _unlink(self, name: str) -> int:
        with self._lock:
            return 0 if self._names.pop(name, None) is not None else _FAILED

    def _wait(self, number: int) -> int:
        with self._lock:
            found = self._all.get(number)
            if found is None:
                return _FAILED
            if found.value:
                found.value -= 1
                return 0
            waiter = threading.Lock()
            waiter.acquire()
            found.waiters.append(waiter)
        try:
            self._group.acquire(waiter)
        except BaseException:
            with self._lock:
                if waiter in found.waiters:
                    found.waiters.remove(waiter)
            raise
        return 0

    def _trywait(self, number: int) -> int:
        with self._lock:
            found = self._all.get(number)
            if found is None or not found.value:
                return _FAILED
            found.value -= 1
            return 0

    def _post(self, number: int) -> int:
        with self._lock:
            found = self._all.get(number)
            if found is None or found.value == _MOST:
                return _FAILED
            if found.waiters:
                found.waiters.pop(0).release()
            else:
                found.value += 1
            return 0

    def _getvalue(self, number: int, place: memoryview) -> int:
        found = self._all.get(number)
        if found is None or len(place) < 4:
            return _FAILED
        place[:4] = found.value.to_bytes(4, "little")
        return 0
