"""Some hundred ways to try to get out of a directory, each with every function that takes paths.

What counts is not the errno but that nothing outside is read or changed, whatever happens.
"""

import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from wasmote.wasi import Directory, HostDir, MemoryDir, OverlayDir, Symlink, Wasi, abi

from .conftest import Program

SECRET = b"the secret"
#: What is in the sandbox; beside it are `outside` and `outside/secret`.
INSIDE: dict[str, object] = {
    "file": b"inside",
    "dir": {"deep": {"up": Symlink("../../.."), "er": {}}, "up": Symlink("..")},
    "here": Symlink("."),
    "to-dir": Symlink("dir"),
    "up": Symlink(".."),
    "up/": Symlink("../"),
    "up2": Symlink("../.."),
    "out": Symlink("../outside"),
    "secret": Symlink("../outside/secret"),
    "through": Symlink("dir/../../outside"),
    "chain": Symlink("chain2/"),
    "chain2": Symlink("up/outside"),
    "root": Symlink("/"),
    "proc": Symlink("/proc/self/cwd"),
    "long": Symlink("../" * 500),
    "back": Symlink("../inside"),
}
INSIDE["up-slash"] = INSIDE.pop("up/")
#: Ways to where an escape starts: all lead to the sandbox's top.
STARTS = [
    "",
    "./",
    ".//./",
    "dir/../",
    "dir/deep/../../",
    "here/",
    "here/here/../here/dir/../",
    "to-dir/../",
    "dir/up/",
    "dir/deep/er/../../up/",
]
#: From there out, to the secret, to the directory that has it, to what is above.
ESCAPES = [
    "..",
    "../",
    "../.",
    "../..",
    "../inside",
    "../inside/file",
    "../outside",
    "../outside/secret",
    "..//outside//secret",
    "dir/../../outside/secret",
    "dir/deep/up/outside/secret",
    "dir/deep/up/..",
    "up/outside/secret",
    "up-slash/outside/secret",
    "up2/outside",
    "out/secret",
    "out/../outside/secret",
    "out/.",
    "secret",
    "secret/",
    "through/secret",
    "chain/secret",
    "root/etc/passwd",
    "proc/outside/secret",
    "long/etc/passwd",
    "back/file",
    "up/inside/../outside/secret",
]
#: Complete paths that mean something only to systems that they are not meant for, or too much.
ODD = [
    "/",
    "//",
    "/etc/passwd",
    "//etc//passwd",
    "/proc/self/root/etc/passwd",
    "/dev/fd/0",
    "C:\\Windows",
    "\\..\\outside\\secret",
    "..\\outside\\secret",
    "%2e%2e/outside/secret",
    "%2e%2e%2foutside%2fsecret",
    "..%2foutside",
    "\uff0e\uff0e/outside/secret",
    "\u2024\u2024/outside/secret",
    "..;/outside/secret",
    ".. /outside/secret",
    " ../outside/secret",
    "..\n/outside/secret",
    ". ./outside",
    "file/../../outside/secret",
    "file/..",
    "none/../../outside/secret",
    "~/",
    "$HOME/x",
    "\x00../outside/secret",
    "../outside/secret\x00",
    "dir\x00/../../outside/secret",
    "../" * 1365,
    "./" * 2000 + "../outside/secret",
    "dir/../" * 580 + "../outside",
    "a" * 4095,
    "a" * 256 + "/../../outside",
    "here/" * 41 + "../outside/secret",
    "here/" * 39 + "../outside/secret",
    b"\xff\xfe../outside",
    b"..\xc0\xafoutside\xc0\xafsecret",
    b"\xe0\x80\xae\xe0\x80\xae/outside/secret",
]
TRICKS: list[str | bytes] = [start + escape for start, escape in product(STARTS, ESCAPES)] + ODD
KINDS = ["host", "memory", "overlay"]


def build(path: Path, tree: dict[str, object]) -> None:
    path.mkdir(exist_ok=True)
    for name, entry in tree.items():
        if isinstance(entry, dict):
            build(path / name, entry)
        elif isinstance(entry, Symlink):
            (path / name).symlink_to(entry.target)
        else:
            (path / name).write_bytes(entry)  # type: ignore[arg-type]


def everything(path: Path) -> list[tuple[object, ...]]:
    """All about the files outside that a program could have changed."""
    found: list[tuple[object, ...]] = []
    for file in sorted([path, path / "outside", *(path / "outside").rglob("*")]):
        status = file.lstat()
        data = file.read_bytes() if file.is_file() else sorted(os.listdir(file))
        found.append((file, status.st_mtime_ns, status.st_mode, status.st_nlink, data))
    return found


class Sandbox:
    """A directory to get out of, and what is beside it."""

    def __init__(self, kind: str, path: Path) -> None:
        self.path = path
        build(path, {"inside": INSIDE, "outside": {"secret": SECRET, "sub": {}}})
        directory: Directory
        if kind == "memory":
            self.top = MemoryDir({"inside": INSIDE, "outside": {"secret": SECRET, "sub": {}}})
            directory = self.top["inside"]  # type: ignore[assignment]
        else:
            self.top = MemoryDir()
            inside = path / "inside"
            directory = HostDir(inside) if kind == "host" else OverlayDir(inside)
        self.before = everything(path)
        self.program = Program(Wasi(dirs={"/": directory}))
        self.forbidden = {path.stat().st_ino, (path / "outside").stat().st_ino}
        self.forbidden.add((path / "outside" / "secret").stat().st_ino)

    def check(self) -> None:
        """Nothing outside has changed."""
        assert everything(self.path) == self.before
        if "outside" in self.top:
            assert dict(self.top["outside/sub"]) == {}  # type: ignore[call-overload]
            assert self.top["outside/secret"] == SECRET and len(self.top) == 2


@pytest.fixture(params=KINDS)
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(request.param, tmp_path)
    yield made
    made.check()


def try_to_open(sandbox: Sandbox, path: str | bytes) -> None:
    """Open the path in all ways; what opens must be inside."""
    program = sandbox.program
    rights = (abi.FD_READ, abi.FD_READ | abi.FD_WRITE, abi.FD_READDIR)
    for oflags, right, follow in product((0, 1, 2, 5, 8, 9), rights, (False, True)):
        fd = program.open(path, oflags, right | abi.FD_FILESTAT_GET, follow=follow)
        if fd < 0:
            continue
        result = program.alloc(64)
        program.ok("fd_filestat_get", fd, result)
        assert program.u64(result + 8) not in sandbox.forbidden
        if right & abi.FD_READ:
            assert program.read(fd) != SECRET
        program.ok("fd_close", fd)


def try_to_change(sandbox: Sandbox, path: str | bytes) -> None:
    """Call everything else with the path, in each place that a function has for one."""
    program = sandbox.program
    # Programs may write where their memory is used again: each call gets its own copy.
    for follow in (0, 1):
        found = program.path_stat(path, bool(follow))
        assert isinstance(found, int) or found[1] not in sandbox.forbidden
        times = (1, 2, abi.FST_ATIM | abi.FST_MTIM)
        program.call("path_filestat_set_times", 3, follow, *program.put(path), *times)
        new = program.put(f"linked{follow}")
        if program.call("path_link", 3, follow, *program.put(path), 3, *new) == 0:
            assert program.read(program.open(f"linked{follow}")) != SECRET
            program.call("path_unlink_file", 3, *program.put(f"linked{follow}"))
    buffer = program.alloc(100)
    program.call("path_readlink", 3, *program.put(path), buffer, 100, program.alloc(4))
    program.call("path_link", 3, 0, *program.put("file"), 3, *program.put(path))
    program.call("path_symlink", *program.put("x"), 3, *program.put(path))
    program.call("path_create_directory", 3, *program.put(path))
    program.call("path_create_directory", 3, *program.put(slashed(path) + b"made"))
    program.call("path_rename", 3, *program.put("file"), 3, *program.put(slashed(path) + b"moved"))
    program.call("path_unlink_file", 3, *program.put(slashed(path) + b"secret"))
    program.call("path_remove_directory", 3, *program.put(slashed(path) + b"sub"))


def slashed(path: str | bytes) -> bytes:
    return (path if isinstance(path, bytes) else path.encode()) + b"/"


def try_to_remove(sandbox: Sandbox, path: str | bytes) -> None:
    program = sandbox.program
    if program.call("path_rename", 3, *program.put(path), 3, *program.put("got")) == 0:
        assert program.read(program.open("got", follow=False)) != SECRET
        program.call("path_rename", 3, *program.put("got"), 3, *program.put(path))
    program.call("path_remove_directory", 3, *program.put(path))
    program.call("path_unlink_file", 3, *program.put(path))


def test_there_are_enough_tricks() -> None:
    assert len(set(TRICKS)) > 250


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start or "top")
def test_paths_that_lead_out(sandbox: Sandbox, start: str) -> None:
    for escape in ESCAPES:
        try_to_open(sandbox, start + escape)
        try_to_change(sandbox, start + escape)
    for escape in ESCAPES:
        try_to_remove(sandbox, start + escape)


def test_odd_paths(sandbox: Sandbox) -> None:
    for path in ODD:
        for attempt in (try_to_open, try_to_change, try_to_remove):
            attempt(sandbox, path)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc")
def test_magic_links(tmp_path: Path) -> None:
    """Links in /proc lead to what a process has open, whatever their text says."""
    (tmp_path / "secret").write_bytes(SECRET)
    with open(tmp_path / "secret", "rb") as file, Wasi(dirs={"/": "/proc"}) as wasi:
        program = Program(wasi)
        link = f"self/fd/{file.fileno()}"
        process = f"{os.getpid()}/fd/{file.fileno()}"
        for path in (link, process, "self/root/etc/passwd", "self/cwd", "self/exe", "self/root/"):
            for oflags, follow in product((0, abi.OFLAGS_DIRECTORY), (False, True)):
                assert program.open(path, oflags, follow=follow) < 0
        assert program.path_stat(link) == -abi.EPERM


# -- races -----------------------------------------------------------------------------------------


class Swapper(threading.Thread):
    """Exchanges names for links out of the sandbox as fast as it can, at once each time."""

    EXCHANGE = 2  # RENAME_EXCHANGE of Linux

    def __init__(self, root: Path, pairs: list[tuple[str, str]]) -> None:
        super().__init__(daemon=True)
        self.pairs = [(os.fsencode(root / one), os.fsencode(root / two)) for one, two in pairs]
        self.stop = threading.Event()
        self.swaps = 0
        self.rename = ctypes.CDLL(None).renameat2

    def run(self) -> None:
        here = -100  # AT_FDCWD
        while not self.stop.is_set():
            for one, two in self.pairs:
                if self.rename(here, one, here, two, self.EXCHANGE) != 0:
                    raise AssertionError(f"cannot exchange {one!r} and {two!r}")
            self.swaps += 1
        if self.swaps % 2:
            for one, two in self.pairs:
                self.rename(here, one, here, two, self.EXCHANGE)


@pytest.fixture
def quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "renameat2"), reason="no atomic exchange here")
@pytest.mark.parametrize("kind", ["host", "overlay"])
@pytest.mark.usefixtures("quick_switches")
def test_races(tmp_path: Path, kind: str) -> None:
    """A directory, one further down, and a file turn into links out of the sandbox and back, while
    a program does all that it can with them."""
    sandbox = Sandbox(kind, tmp_path)
    root = tmp_path / "inside"
    build(
        root,
        {
            "flip": {"secret": b"inside", "sub": {}},
            "evil": Symlink("../outside"),
            "a": {"b": {"secret": b"inside"}, "evil": Symlink("../../outside")},
            "flip-file": b"inside",
            "evil-file": Symlink("../outside/secret"),
        },
    )
    sandbox.before = everything(tmp_path)
    pairs = [("flip", "evil"), ("a/b", "a/evil"), ("flip-file", "evil-file")]
    swapper = Swapper(root, pairs)
    swapper.start()
    program, opened, refused = sandbox.program, 0, 0
    end, number = time.monotonic() + 1.5, 0
    while time.monotonic() < end:
        number += 1
        follow = bool(number & 1)
        for path in ("flip/secret", "a/b/secret", "flip-file"):
            fd = program.open(path, 0, abi.FD_READ, follow=follow)
            opened, refused = opened + (fd >= 0), refused + (fd < 0)
            if fd >= 0:
                assert program.read(fd) in (b"inside", b"")
                program.ok("fd_close", fd)
            found = program.path_stat(path, follow)
            assert isinstance(found, int) or found[1] not in sandbox.forbidden
            times = (5, 5, abi.FST_ATIM | abi.FST_MTIM)
            where = (3, int(follow), *program.put(path))
            program.call("path_filestat_set_times", *where, *times)
            fd = program.open(path, abi.OFLAGS_TRUNC, abi.FD_WRITE, follow=follow)
            if fd >= 0:
                program.write(fd, b"inside")
                program.ok("fd_close", fd)
        for top in ("flip", "a/b"):
            new = (3, *program.put(f"{top}/new{number % 5}"))
            other = (3, *program.put(f"{top}/other{number % 5}"))
            gone = (3, *program.put(f"{top}/sub"))
            program.call("path_create_directory", *new)
            program.call("path_rename", *new, *other)
            program.call("path_symlink", *program.put("x"), *new)
            program.call("path_unlink_file", *new)
            program.call("path_link", 3, 0, *program.put("file"), *new)
            program.call("path_unlink_file", *new)
            program.call("path_remove_directory", *other)
            program.call("path_remove_directory", *gone)
    swapper.stop.set()
    swapper.join()
    assert swapper.swaps > 10 and opened > 10
    assert refused > 10 or kind == "overlay", "both sides have had their turns"
    sandbox.check()


@pytest.mark.usefixtures("quick_switches")
def test_a_directory_that_is_moved_out_while_a_program_walks_through_it(tmp_path: Path) -> None:
    """`..` leads to where the walk came from, not to where the directory is now."""
    sandbox = Sandbox("host", tmp_path)
    deep = tmp_path / "inside" / "moving" / "sub"
    deep.mkdir(parents=True)
    stop = threading.Event()
    moves = 0

    def move() -> None:
        nonlocal moves
        while not stop.is_set():
            os.rename(tmp_path / "inside" / "moving", tmp_path / "outside" / "moving")
            os.rename(tmp_path / "outside" / "moving", tmp_path / "inside" / "moving")
            moves += 1

    thread = threading.Thread(target=move, daemon=True)
    thread.start()
    program = sandbox.program
    end = time.monotonic() + 0.7
    while time.monotonic() < end:
        for path in ("moving/../secret", "moving/sub/../../secret", "moving/sub/../../../secret"):
            fd = program.open(path, follow=False)
            assert fd < 0, path
        assert program.path_stat("moving/sub/../../outside") in (-abi.ENOENT, -abi.EPERM)
    stop.set()
    thread.join()
    assert moves > 10
