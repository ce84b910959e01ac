"""Arguments, environment, clocks, random numbers, ending."""

import struct
import time
from pathlib import Path

import pytest

from wasmote.wasi import Exit, Wasi, WasiError, abi

from .conftest import Program


def strings(program: Program, what: str) -> list[bytes]:
    count, size = program.alloc(4), program.alloc(4)
    program.ok(f"{what}_sizes_get", count, size)
    pointers = program.alloc(4 * program.u32(count))
    data = program.alloc(program.u32(size))
    program.ok(f"{what}_get", pointers, data)
    addresses = struct.unpack_from(f"<{program.u32(count)}I", program.memory, pointers)
    if addresses:
        assert addresses[0] == data
    ends = [bytes(program.memory).index(0, address) for address in addresses]
    assert not ends or ends[-1] == data + program.u32(size) - 1
    return [program.get(a, e - a) for a, e in zip(addresses, ends, strict=True)]


def test_arguments_and_environment(program: Program) -> None:
    assert strings(program, "args") == [b"prog", "ä".encode(), b"\xff"]
    assert strings(program, "environ") == [b"A=1", b"B=x=y"]


def test_nothing_is_inherited_by_default() -> None:
    with Wasi() as wasi:
        program = Program(wasi)
        assert strings(program, "args") == strings(program, "environ") == []
        assert program.call("fd_prestat_get", 3, 0) == abi.EBADF


@pytest.mark.parametrize(
    "settings",
    [
        {"args": ["a\0b"]},
        {"env": {"A": "a\0b"}},
        {"env": {"A=B": ""}},
        {"env": {"": "x"}},
        {"stdin": 12345},
        {"stdout": "not a file"},
        {"dirs": {"/data": "bad\0path"}},
    ],
)
def test_bad_settings(settings: dict[str, object]) -> None:
    with pytest.raises(WasiError):
        Wasi(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_preopen_that_is_no_directory(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "file":
        path.touch()
    with pytest.raises(WasiError, match="/guest/name") as caught:
        Wasi(dirs={"/guest/name": path})
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("clock", "now"),
    [
        (0, time.time_ns),
        (1, time.monotonic_ns),
        (2, time.process_time_ns),
        (3, time.thread_time_ns),
    ],
)
def test_clocks(program: Program, clock: int, now: object) -> None:
    result = program.alloc(8)
    before = now()  # type: ignore[operator]
    program.ok("clock_time_get", clock, 1000, result)
    assert before <= program.u64(result) <= now()  # type: ignore[operator]
    program.ok("clock_res_get", clock, result)
    assert 1 <= program.u64(result) <= 1_000_000_000


def test_unknown_clock(program: Program) -> None:
    assert program.call("clock_time_get", 4, 0, 64) == abi.EINVAL
    assert program.call("clock_res_get", 0xFFFF_FFFF, 64) == abi.EINVAL


def test_random(program: Program) -> None:
    program.ok("random_get", 64, 1000)
    data = program.get(64, 1000)
    assert len(set(data)) > 100
    program.ok("random_get", 64, 1000)
    assert program.get(64, 1000) != data
    program.ok("random_get", 0, 0)


def test_random_in_more_than_one_chunk() -> None:
    with Wasi() as wasi:
        memory = bytearray((2 << 20) + 100)
        wasi.attach(memory)
        assert wasi.imports()["wasi_snapshot_preview1"]["random_get"](0, len(memory)) == 0
        assert any(memory[-100:]) and any(memory[1 << 20 : (1 << 20) + 100])


def test_random_of_4_gib_faults_before_generating(program: Program) -> None:
    start = time.monotonic()
    assert program.call("random_get", 8, 0xFFFF_FFFF) == abi.EFAULT
    assert time.monotonic() - start < 0.1
    assert not any(program.memory)


def test_exit(program: Program) -> None:
    for code in (0, 1, 255, 0xFFFF_FFFF):
        with pytest.raises(Exit) as caught:
            program.call("proc_exit", code)
        assert caught.value.code == code and caught.value.signal is None


def test_raise(program: Program) -> None:
    with pytest.raises(Exit) as caught:
        program.call("proc_raise", 6)
    assert caught.value.code == 134 and caught.value.signal == 6
    program.ok("proc_raise", 0)
    program.ok("proc_raise", 27)
    assert program.call("proc_raise", 18) == abi.ENOTSUP
    assert program.call("proc_raise", 31) == abi.EINVAL


def test_yield(program: Program) -> None:
    program.ok("sched_yield")


def test_every_function_of_both_versions() -> None:
    with Wasi() as wasi:
        imports = wasi.imports()
    assert set(imports) == {"wasi_snapshot_preview1", "wasi_unstable"}
    for functions in imports.values():
        sockets = {"sock_accept", "sock_recv", "sock_send", "sock_shutdown"}
        others = {name for name in functions if not name.startswith("sock_")}
        assert len(others) == 42 and sockets < set(functions)
        for name, function in functions.items():
            expected = "()" if name == "proc_exit" else "(i32)"
            assert str(function.type).endswith(f"-> {expected}")  # type: ignore[attr-defined]


def test_before_attach_every_pointer_is_a_fault() -> None:
    with Wasi(["x"]) as wasi:
        functions = wasi.imports()["wasi_snapshot_preview1"]
        assert functions["args_sizes_get"](0, 4) == abi.EFAULT
        assert functions["clock_time_get"](0, 0, 0) == abi.EFAULT


def test_closed(program: Program) -> None:
    fd = program.create("file")
    program.wasi.close()
    assert program.write(fd, b"x") == -abi.EBADF
    assert program.write(1, b"x") == -abi.EBADF
    program.wasi.close()
