"""WASI functions about the program itself: arguments, environment, clocks, random numbers, end."""

import os
import struct
import time

from wasmote.wasi.abi import EINVAL, ENOTSUP
from wasmote.wasi.calls import U32, U64, Pointer, State, Strings, wasi_function
from wasmote.wasi.errors import CallError, Exit

# Realtime, monotonic, the process's and the thread's processor time: all in nanoseconds.
CLOCKS = (time.time_ns, time.monotonic_ns, time.process_time_ns, time.thread_time_ns)
_HOST_CLOCKS = (
    time.CLOCK_REALTIME,
    time.CLOCK_MONOTONIC,
    time.CLOCK_PROCESS_CPUTIME_ID,
    time.CLOCK_THREAD_CPUTIME_ID,
)

# Signals that a process ignores by default (none, CHLD, CONT, URG, WINCH), and those that stop it.
_IGNORED_SIGNALS = (0, 16, 17, 22, 27)
_STOPPING_SIGNALS = (18, 19, 20, 21)
_SIGNALS = 31

_RANDOM_CHUNK = 1 << 20


@wasi_function
def args_sizes_get(state: State, count: Pointer, size: Pointer) -> None:
    """Number of arguments, and bytes that they take with their NULs."""
    _store_sizes(state, state.args, count, size)


@wasi_function
def args_get(state: State, argv: Pointer, data: Pointer) -> None:
    """Pointers to the arguments, and the arguments."""
    _store_strings(state, state.args, argv, data)


@wasi_function
def environ_sizes_get(state: State, count: Pointer, size: Pointer) -> None:
    """Number of environment variables, and bytes that they take with their NULs."""
    _store_sizes(state, state.environ, count, size)


@wasi_function
def environ_get(state: State, environ: Pointer, data: Pointer) -> None:
    """Pointers to the environment variables, and these as "NAME=value"."""
    _store_strings(state, state.environ, environ, data)


def _store_sizes(state: State, strings: Strings, count: int, size: int) -> None:
    stored_count = state.guest.slice(count, 4)
    stored_size = state.guest.slice(size, 4)
    stored_count[:] = strings.count.to_bytes(4, "little")
    stored_size[:] = len(strings.data).to_bytes(4, "little")


def _store_strings(state: State, strings: Strings, pointers: int, data: int) -> None:
    stored_pointers = state.guest.slice(pointers, 4 * strings.count)
    stored_data = state.guest.slice(data, len(strings.data))
    addresses = (data + offset for offset in strings.offsets)
    stored_pointers[:] = struct.pack(f"<{strings.count}I", *addresses)
    stored_data[:] = strings.data


@wasi_function
def clock_time_get(state: State, clock: U32, precision: U64, result: Pointer) -> None:
    """Nanoseconds of a clock; always as precise as the host can."""
    if clock >= len(CLOCKS):
        raise CallError(EINVAL)
    state.guest.slice(result, 8)[:] = CLOCKS[clock]().to_bytes(8, "little")


@wasi_function
def clock_res_get(state: State, clock: U32, result: Pointer) -> None:
    """Resolution of a clock in nanoseconds, at least 1."""
    if clock >= len(CLOCKS):
        raise CallError(EINVAL)
    resolution = max(1, round(time.clock_getres(_HOST_CLOCKS[clock]) * 1e9))
    state.guest.slice(result, 8)[:] = resolution.to_bytes(8, "little")


@wasi_function
def random_get(state: State, buf: Pointer, length: U32) -> None:
    """Fill a buffer with random bytes fit for cryptography."""
    buffer = state.guest.slice(buf, length)
    for start in range(0, length, _RANDOM_CHUNK):
        chunk = buffer[start : start + _RANDOM_CHUNK]
        chunk[:] = os.urandom(len(chunk))


@wasi_function
def sched_yield(state: State) -> None:
    """Let other threads run."""
    os.sched_yield()


@wasi_function
def proc_exit(state: State, code: U32) -> None:
    """End the program: raises `Exit`."""
    raise Exit(code)


@wasi_function
def proc_raise(state: State, signal: U32) -> None:
    """What a signal does by default: most end the program with `Exit`, some nothing."""
    if signal >= _SIGNALS:
        raise CallError(EINVAL)
    if signal in _STOPPING_SIGNALS:
        raise CallError(ENOTSUP)
    if signal not in _IGNORED_SIGNALS:
        raise Exit(128 + signal, signal)
