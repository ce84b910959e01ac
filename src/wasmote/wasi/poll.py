"""`poll_oneoff`: waiting for clocks and descriptors."""

import time
from collections.abc import Iterator

from wasmote import checkpoint
from wasmote.wasi import abi
from wasmote.wasi.abi import EBADF, EINVAL, EIO, ENOTSUP, ESUCCESS
from wasmote.wasi.calls import U32, Pointer, State, wasi_function
from wasmote.wasi.descriptors import Descriptor
from wasmote.wasi.errors import CallError
from wasmote.wasi.process import CLOCKS

#: More than a process has descriptors; bounds what a call makes the host allocate.
MAX_SUBSCRIPTIONS = 4096

_SECOND = 1_000_000_000
#: The longest wait in one go, in nanoseconds: then somebody may want the program to end.
_LONGEST_WAIT = _SECOND // 20


class _Clock:
    """A subscription to a time, `deadline` in nanoseconds of the clock `now`."""

    def __init__(self, userdata: int, clock: int, timeout: int, flags: int) -> None:
        self.userdata = userdata
        self.errno = ESUCCESS
        if clock not in (abi.CLOCK_REALTIME, abi.CLOCK_MONOTONIC):
            # There is no waiting for processor time: it stands still meanwhile.
            self.errno = ENOTSUP if clock < len(CLOCKS) else EINVAL
            return
        # Only an absolute time follows the realtime clock when somebody sets it.
        absolute = flags & abi.CLOCK_ABSTIME
        self.now = CLOCKS[clock] if absolute else time.monotonic_ns
        self.deadline = timeout if absolute else self.now() + timeout

    def remaining(self) -> int:
        """Nanoseconds until the event, at least 0."""
        return 0 if self.errno else max(0, self.deadline - self.now())

    def event(self) -> bytes:
        """The event to report."""
        return abi.EVENT.pack(self.userdata, self.errno, abi.EVENT_CLOCK, 0, 0)


class _Ready:
    """A subscription to a descriptor's becoming ready to read or write."""

    def __init__(self, state: State, userdata: int, tag: int, fd: int) -> None:
        self.userdata = userdata
        self.tag = tag
        self.errno = ESUCCESS
        self.descriptor: Descriptor | None = None
        right = abi.FD_READ if tag == abi.EVENT_FD_READ else abi.FD_WRITE
        try:
            self.descriptor = state.table.get(fd, right | abi.POLL_FD_READWRITE)
        except CallError as error:
            self.errno = error.errno

    def waits_on(self) -> int | None:
        """The host's descriptor to wait for; None if the event is there already.

        As in POSIX, reading and writing files never waits.
        """
        descriptor = self.descriptor
        if descriptor is None or descriptor.fd < 0 or descriptor.filetype == abi.REGULAR_FILE:
            return None
        return descriptor.fd

    def event(self, hangup: bool = False) -> bytes:
        """The event to report."""
        available = 0
        if self.descriptor is not None and self.tag == abi.EVENT_FD_READ and not self.errno:
            available = self.descriptor.available()
        flags = abi.EVENT_HANGUP if hangup else 0
        return abi.EVENT.pack(self.userdata, self.errno, self.tag, available, flags)


@wasi_function
def poll_oneoff(
    state: State, subscriptions: Pointer, events: Pointer, count: U32, nevents: Pointer
) -> None:
    """Wait until at least one of the subscribed events is there, and report all that are.

    What is wrong with a single subscription is reported in its event.
    """
    layout = state.layout.subscription
    array = state.guest.slice(subscriptions, layout.size * count)
    result = state.guest.slice(events, abi.EVENT.size * count)
    stored = state.guest.slice(nevents, 4)
    if not 0 < count <= MAX_SUBSCRIPTIONS:
        raise CallError(EINVAL)

    clocks: list[_Clock] = []
    ready: list[_Ready] = []
    for fields in layout.iter_unpack(array):
        userdata, tag, target = fields[:3]
        if tag == abi.EVENT_CLOCK:
            clock, timeout, _, flags = fields[-4:]
            clocks.append(_Clock(userdata, clock, timeout, flags))
        elif tag in (abi.EVENT_FD_READ, abi.EVENT_FD_WRITE):
            ready.append(_Ready(state, userdata, tag, target & 0xFFFF_FFFF))
        else:
            raise CallError(EINVAL)

    happened = b"".join(_wait(clocks, ready))
    result[: len(happened)] = happened
    stored[:] = (len(happened) // abi.EVENT.size).to_bytes(4, "little")


def _wait(clocks: list[_Clock], ready: list[_Ready]) -> list[bytes]:
    """The events that have happened, waiting for the first."""
    waiting = [subscription for subscription in ready if subscription.waits_on() is not None]
    found = [subscription.event() for subscription in ready if subscription.waits_on() is None]
    while True:
        checkpoint()
        pause = min((clock.remaining() for clock in clocks), default=_LONGEST_WAIT)
        pause = 0 if found else min(pause, _LONGEST_WAIT)
        if waiting:
            found += _poll(waiting, pause)
        elif pause:
            time.sleep(pause / _SECOND)
        found += [clock.event() for clock in clocks if clock.remaining() == 0]
        if found:
            return found


def _poll(waiting: list[_Ready], pause: int) -> Iterator[bytes]:
    """Wait at most `pause` nanoseconds; the events of the descriptors that are ready."""
    import select  # only here: most programs never wait

    interest: dict[int, int] = {}
    for subscription in waiting:
        fd = subscription.waits_on()
        if fd is not None:
            bit = select.POLLIN if subscription.tag == abi.EVENT_FD_READ else select.POLLOUT
            interest[fd] = interest.get(fd, 0) | bit
    poller = select.poll()
    for fd, bits in interest.items():
        poller.register(fd, bits)
    state = dict(poller.poll(-(-pause // 1_000_000)))  # rounded up: never too early

    for subscription in waiting:
        bits = state.get(subscription.waits_on() or 0, 0)
        wanted = select.POLLIN if subscription.tag == abi.EVENT_FD_READ else select.POLLOUT
        if bits & select.POLLNVAL:
            subscription.errno = EBADF
        elif bits & select.POLLERR:
            subscription.errno = EIO
        elif not bits & (wanted | select.POLLHUP):
            continue
        yield subscription.event(bool(bits & select.POLLHUP))
