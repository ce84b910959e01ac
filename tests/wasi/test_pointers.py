"""Bad pointers and absurd sizes: an errno, no exception, no effect, no memory used."""

import io
import random
import time
import tracemalloc
from pathlib import Path

import pytest

from wasmote.wasi import Exit, Wasi, abi
from wasmote.wasi.calls import FUNCTIONS, Pointer

from .conftest import SIZE, Program

# A call of each function that takes pointers, all good: p = path, v = one iovec, r = room for a
# result, f = a file, d = the directory, numbers as they are.
CALLS = {
    "args_get": "rr",
    "args_sizes_get": "rr",
    "clock_res_get": "0r",
    "clock_time_get": "00r",
    "environ_get": "rr",
    "environ_sizes_get": "rr",
    "fd_fdstat_get": "fr",
    "fd_filestat_get": "fr",
    "fd_pread": "fv0r",
    "fd_prestat_dir_name": "dr9",
    "fd_prestat_get": "dr",
    "fd_pwrite": "fv0r",
    "fd_read": "fvr",
    "fd_readdir": "dr90r",
    "fd_seek": "f00r",
    "fd_tell": "fr",
    "fd_write": "fvr",
    "path_create_directory": "dp",
    "path_filestat_get": "d0pr",
    "path_filestat_set_times": "d0p000",
    "path_link": "d0pdp",
    "path_open": "d0p10r0r",
    "path_readlink": "dpr9r",
    "path_remove_directory": "dp",
    "path_rename": "dpdp",
    "path_symlink": "pdp",
    "path_unlink_file": "dp",
    "poll_oneoff": "rr1r",
    "random_get": "r9",
}


def arguments(program: Program, spec: str, file: int) -> list[int]:
    values: list[int] = []
    for kind in spec:
        if kind == "p":
            values += program.put("new")
        elif kind == "v":
            values += program.iovecs((program.alloc(4), 4))
        elif kind == "r":
            values.append(program.alloc(64))
        else:
            values.append({"f": file, "d": 3}.get(kind) or int(kind))
    return values


def pointer_positions(name: str) -> list[int]:
    annotations = FUNCTIONS[name].__annotations__.items()
    kinds = [kind for parameter, kind in annotations if parameter not in ("state", "return")]
    return [position for position, kind in enumerate(kinds) if kind is Pointer]


def test_the_list_is_complete() -> None:
    missing = {name for name in FUNCTIONS if pointer_positions(name)} - set(CALLS)
    assert all(name.startswith("sock_") for name in missing), missing  # tested with sockets


@pytest.mark.parametrize("name", CALLS)
def test_each_pointer_is_checked(program: Program, root: Path, name: str) -> None:
    file = program.create("file", b"data")
    for position in pointer_positions(name):
        for bad in (SIZE, 0xFFFF_FFFF, 0xFFFF_FF00, 0x8000_0000, SIZE + 1):
            values = arguments(program, CALLS[name], file)
            values[position] = bad
            assert program.call(name, *values) == abi.EFAULT, f"argument {position} = {bad:#x}"
    assert sorted(path.name for path in root.iterdir()) == ["file"], "no effect"
    assert (root / "file").read_bytes() == b"data"


@pytest.mark.parametrize("name", ["fd_read", "fd_write", "fd_pread", "fd_pwrite"])
def test_bad_iovecs_have_no_effect(program: Program, root: Path, name: str) -> None:
    fd = program.create("file", b"data")
    offset = [0] if name[3] == "p" else []
    good, result = (program.alloc(4), 4), program.alloc(4)
    for bad in ((SIZE - 3, 4), (SIZE, 1), (0, SIZE + 1), (0xFFFF_FFFF, 0xFFFF_FFFF), (1, SIZE)):
        vector = program.iovecs(good, bad)
        assert program.call(name, fd, *vector, *offset, result) == abi.EFAULT
    for count in (1 << 14, 1 << 29, 0x8000_0000, 0xFFFF_FFFF):
        start = time.monotonic()
        assert program.call(name, fd, 1024, count, *offset, result) == abi.EFAULT
        assert time.monotonic() - start < 0.1
    program.ok(name, fd, *program.iovecs((SIZE, 0)), *offset, result)
    assert (root / "file").read_bytes() == b"data"
    assert program.seek(fd, 0, 1) == 4


def test_last_bytes_of_memory_are_usable(program: Program) -> None:
    program.ok("clock_time_get", 0, 0, SIZE - 8)
    assert program.call("clock_time_get", 0, 0, SIZE - 7) == abi.EFAULT
    program.ok("random_get", SIZE, 0)
    assert program.call("random_get", SIZE + 1, 0) == abi.EFAULT


def test_long_paths_are_refused_without_a_copy() -> None:
    with Wasi(dirs={"/": "."}) as wasi:
        memory = bytearray(64 << 20)
        wasi.attach(memory)
        functions = wasi.imports()["wasi_snapshot_preview1"]
        tracemalloc.start()
        assert functions["path_create_directory"](3, 0, len(memory)) == abi.ENAMETOOLONG
        assert functions["path_symlink"](0, len(memory), 3, 0, 1) == abi.ENAMETOOLONG
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_a_stream_gets_no_more_than_its_limit_at_once() -> None:
    with Wasi(stdout=(out := io.BytesIO())) as wasi:
        memory = bytearray(20 << 20)
        wasi.attach(memory)
        memory[0:8] = abi.IOVEC.pack(0, len(memory))
        functions = wasi.imports()["wasi_snapshot_preview1"]
        assert functions["fd_write"](1, 0, 1, 16) == 0
        written = int.from_bytes(memory[16:20], "little")
        assert written == len(out.getvalue()) == 1 << 24


@pytest.mark.parametrize("version", ["wasi_snapshot_preview1", "wasi_unstable"])
def test_random_arguments(root: Path, version: str) -> None:
    """Whatever a program passes, it gets an errno."""
    random_ = random.Random(1)
    (root / "file").write_bytes(b"data")
    interesting = [0, 1, 2, 3, 4, 5, 8, 64, 100, 1024, SIZE - 8, SIZE - 1, SIZE, SIZE + 1]
    interesting += [0x7FFF_FFFF, -0x8000_0000, -1, -8, -64]
    wide = [*interesting, -(1 << 63), (1 << 63) - 1, 1 << 40, 0x3FFF_FFFF]
    streams = io.BytesIO(b"x" * 1000), io.BytesIO(), io.BytesIO()
    with Wasi(["a", "b"], {"A": "B"}, {"/": root}, *streams) as wasi:
        program = Program(wasi, version)
        program.create("file2", b"more")
        outcomes = set()
        for _ in range(4000):
            if random_.random() < 0.1:  # the program's memory holds what it likes
                where = random_.randrange(SIZE - 64)
                program.memory[where : where + 8] = random_.randbytes(8)
                program.memory[0:8] = random_.choice([b"file\0\0\0\0", b"../..///", b"\0" * 8])
            name = random_.choice(list(program.functions))
            if name in ("poll_oneoff", "fd_allocate"):  # could wait for centuries, fill the disk
                continue
            function = program.functions[name]
            kinds = [str(kind) for kind in function.type.params]
            values = [random_.choice(interesting if k == "i32" else wide) for k in kinds]
            try:
                outcomes.add(function(*values))
            except Exit:
                assert name in ("proc_exit", "proc_raise")
        assert outcomes >= {abi.ESUCCESS, abi.EFAULT, abi.EBADF, abi.EINVAL}
        assert all(0 <= outcome < 77 for outcome in outcomes)
        assert len(program.memory) == SIZE
