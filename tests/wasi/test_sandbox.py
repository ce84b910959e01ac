"""No path leads out of a preopened directory."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmote.wasi import abi

from .conftest import Program

# Links inside the sandbox, by name.
LINKS = {
    "up": "..",
    "up-slash": "../",
    "up2": "../..",
    "up-many": "../" * 60,
    "out": "../outside",
    "out-file": "../outside/secret",
    "out-dot": "./../outside",
    "out-deep": "dir/../../outside",
    "out-via-link": "up/outside",
    "back": "../root",
    "back-file": "../root/file",
    "abs": "{outside}",
    "abs-file": "{outside}/secret",
    "abs-slash": "/",
    "abs-slashes": "//",
    "abs-root": "{root}",
    "abs-proc": "/proc/self/root",
    "abs-cwd": "/proc/self/cwd",
    "chain1": "chain2",
    "chain2": "chain3/",
    "chain3": "out",
    "self": ".",
    "dir/up": "..",
    "dir/up2": "../..",
    "dir/out": "../../outside",
    "dir/deep/up3": "../../..",
    "dir/deep/in": "../../file",
    "to-dir": "dir",
}

# Each of these would reach outside; all have to fail with EPERM.
ESCAPES = [
    "..",
    "../",
    "../.",
    "./..",
    "../..",
    "../root",
    "../root/file",
    "../outside/secret",
    "..//outside//secret",
    "./../outside/secret",
    ".//.././outside/secret",
    "../../../../../../../../etc/passwd",
    "dir/../..",
    "dir/../../outside/secret",
    "dir/deep/../../../outside/secret",
    "dir/./deep/.././../../outside/secret",
    "dir/../dir/../../outside/secret",
    "/",
    "//",
    "/.",
    "/..",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/root/etc/passwd",
    "/dev/null",
    "{outside}/secret",
    "{root}/file",
    "{root}",
    "up/outside/secret",
    "up/root/file",
    "up/",
    "up/.",
    "up/..",
    "up2/x",
    "up-slash/outside/secret",
    "up-many/etc/passwd",
    "self/../outside/secret",
    "self/up/outside/secret",
    "self/self/self/../outside/secret",
    "dir/up/up/outside/secret",
    "dir/up/../outside/secret",
    "dir/up2/outside/secret",
    "dir/deep/up3/outside/secret",
    "dir/deep/up3/..",
    "out/secret",
    "out/",
    "out/.",
    "out/../root/file",
    "out-dot/secret",
    "out-deep/secret",
    "out-via-link/secret",
    "back/file",
    "abs/secret",
    "abs/",
    "abs-slash/etc/passwd",
    "abs-slashes/etc/passwd",
    "abs-root/file",
    "abs-proc/etc/passwd",
    "abs-cwd/x",
    "chain1/secret",
    "chain1/",
    "chain2/secret",
    "to-dir/../../outside/secret",
    "to-dir/up/../outside/secret",
    "to-dir/deep/../../../outside/secret",
    "to-dir/out/secret",
]

# Only the last component is a link outside: following it fails, the link itself is inside.
LAST_LINKS = [
    "up",
    "up-slash",
    "up2",
    "up-many",
    "out",
    "out-file",
    "out-dot",
    "out-deep",
    "out-via-link",
    "back",
    "back-file",
    "abs",
    "abs-file",
    "abs-slash",
    "abs-slashes",
    "abs-root",
    "abs-proc",
    "abs-cwd",
    "chain1",
    "chain2",
    "chain3",
    "dir/up2",
    "dir/out",
    "dir/deep/up3",
    "self/out-file",
    "dir/up/out-file",
]

# These look alike but stay inside.
INSIDE = [
    "file",
    "./file",
    ".//file",
    "dir/../file",
    "dir/deep/../../file",
    "dir/deep/in",
    "dir/up/file",
    "self/file",
    "self/self/dir/up/file",
    "to-dir/../file",
    "to-dir/up/to-dir/deep/in",
    "dir/up/dir/up/dir/up/file",
    "...file",
    "..file",
]


def tree(path: Path) -> list[tuple[str, int, int, bytes]]:
    """Everything about the files under `path` that a program could have changed."""
    found = []
    for file in sorted([path, *path.rglob("*")]):
        status = file.lstat()
        data = file.read_bytes() if file.is_file() else b""
        found.append((str(file), status.st_mtime_ns, status.st_nlink, data))
    return found


@pytest.fixture
def outside(root: Path) -> Iterator[Path]:
    """A directory beside the sandbox, watched for changes."""
    path = root.parent / "outside"
    (path / "sub").mkdir(parents=True)
    (path / "secret").write_bytes(b"secret")
    (root / "dir" / "deep").mkdir(parents=True)
    for name in ("file", "...file", "..file"):
        (root / name).write_bytes(b"inside")
    for name, target in LINKS.items():
        (root / name).symlink_to(target.format(outside=path, root=root))
    before = tree(path)
    siblings = sorted(os.listdir(root.parent))
    yield path
    assert tree(path) == before
    assert sorted(os.listdir(root.parent)) == siblings


def place(path: str, root: Path, outside: Path) -> str:
    return path.format(outside=outside, root=root)


@pytest.mark.parametrize("path", ESCAPES)
def test_escape(program: Program, root: Path, outside: Path, path: str) -> None:
    name = place(path, root, outside)
    for follow in (False, True):
        assert program.open(name, follow=follow) == -abi.EPERM
        for oflags in (abi.OFLAGS_CREAT, abi.OFLAGS_TRUNC, abi.OFLAGS_DIRECTORY):
            assert program.open(name, oflags, follow=follow) == -abi.EPERM
        assert program.path_stat(name, follow) == -abi.EPERM
        times = (0, 0, abi.FST_ATIM | abi.FST_MTIM)
        where = (3, int(follow), *program.put(name))
        assert program.call("path_filestat_set_times", *where, *times) == abi.EPERM
    check_entry_functions(program, name)


def check_entry_functions(program: Program, name: str) -> None:
    """The functions on directory entries; with a link at the end a slash is no escape there."""
    trimmed = name.rstrip("/")
    ends_in_link = trimmed in LINKS
    target = (3, *program.put(name))
    file = (3, *program.put("file"))
    calls = {
        "path_create_directory": target,
        "path_remove_directory": target,
        "path_unlink_file": target,
        "path_readlink": (*target, 64, 100, 32),
        "path_symlink": (*program.put("x"), *target),
    }
    for function, arguments in calls.items():
        errno = program.call(function, *arguments)
        assert errno == abi.EPERM or (ends_in_link and errno in (abi.EEXIST, abi.ENOTDIR))
    if not ends_in_link:
        assert program.call("path_rename", *target, *file) == abi.EPERM
        assert program.call("path_rename", *file, *target) == abi.EPERM
        assert program.call("path_link", 3, 0, *target[1:], *file) == abi.EPERM
        assert program.call("path_link", 3, 0, *file[1:], *target) == abi.EPERM


@pytest.mark.parametrize("path", LAST_LINKS)
def test_link_outside_at_the_end(program: Program, root: Path, outside: Path, path: str) -> None:
    for oflags in (0, abi.OFLAGS_CREAT, abi.OFLAGS_TRUNC, abi.OFLAGS_DIRECTORY):
        assert program.open(path, oflags) == -abi.EPERM
        assert program.open(path, oflags, follow=False) in (-abi.ELOOP, -abi.ENOTDIR)
    exclusive = abi.OFLAGS_CREAT | abi.OFLAGS_EXCL
    assert program.open(path, exclusive) == -abi.EEXIST
    assert program.path_stat(path) == -abi.EPERM
    itself = program.path_stat(path, follow=False)
    assert isinstance(itself, tuple) and itself[2] == abi.SYMBOLIC_LINK
    name = program.put(path)
    new = (3, *program.put("hard-link"))
    assert program.call("path_link", 3, 1, *name, *new) == abi.EPERM
    times = (0, 77, abi.FST_MTIM)
    assert program.call("path_filestat_set_times", 3, 1, *name, *times) == abi.EPERM
    program.ok("path_filestat_set_times", 3, 0, *name, *times)
    # Removing or renaming a link works on the link.
    program.ok("path_rename", 3, *name, 3, *program.put("renamed"))
    program.ok("path_unlink_file", 3, *program.put("renamed"))


@pytest.mark.parametrize("path", INSIDE)
def test_inside(program: Program, root: Path, outside: Path, path: str) -> None:
    assert program.read(program.open(path)) == b"inside"


def test_a_directory_opened_by_the_program_is_a_sandbox(
    program: Program, root: Path, outside: Path
) -> None:
    sub = program.open("dir", abi.OFLAGS_DIRECTORY, abi.DIRECTORY_RIGHTS)
    for path in ("..", "../file", "up/file", "deep/in", "deep/../../file"):
        assert program.open(path, fd=sub) == -abi.EPERM
    assert program.open("deep/..", abi.OFLAGS_DIRECTORY, fd=sub) > 0


def test_links_made_by_the_program(program: Program, root: Path, outside: Path) -> None:
    for target in ("..", "../outside", "dir/../../outside"):
        program.ok("path_symlink", *program.put(target), 3, *program.put("made"))
        assert program.open("made/secret") == -abi.EPERM
        program.ok("path_unlink_file", 3, *program.put("made"))


def test_moving_a_link_deeper_or_higher(program: Program, root: Path, outside: Path) -> None:
    """A link that was harmless where it was made leads outside after a move."""
    program.ok("path_symlink", *program.put("../file"), 3, *program.put("dir/harmless"))
    assert program.read(program.open("dir/harmless")) == b"inside"
    program.ok("path_rename", 3, *program.put("dir/harmless"), 3, *program.put("harmful"))
    assert program.open("harmful") == -abi.EPERM


def test_a_directory_moved_outside_gives_no_way_up(
    program: Program, root: Path, outside: Path
) -> None:
    deep = program.open("dir/deep", abi.OFLAGS_DIRECTORY, abi.DIRECTORY_RIGHTS)
    moved = root.parent / "moved"
    os.rename(root / "dir" / "deep", moved)
    try:
        assert program.open("../outside/secret", fd=deep) == -abi.EPERM
        assert program.open("up3", fd=deep) == -abi.EPERM
    finally:
        os.rename(moved, root / "dir" / "deep")


class Swapper(threading.Thread):
    """Plays another process that keeps swapping names for links out of the sandbox."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.stop = threading.Event()
        self.swaps = 0

    def run(self) -> None:
        pairs = [("flip", "good", "evil"), ("flip-file", "good-file", "evil-file")]
        while not self.stop.is_set():
            for name, good, evil in pairs:
                os.rename(self.root / name, self.root / good)
                os.rename(self.root / evil, self.root / name)
                os.rename(self.root / name, self.root / evil)
                os.rename(self.root / good, self.root / name)
            self.swaps += 1


def test_swapping_links_wins_nothing(program: Program, root: Path, outside: Path) -> None:
    (root / "flip").mkdir()
    (root / "flip" / "secret").write_bytes(b"inside")
    (root / "flip-file").write_bytes(b"inside")
    (root / "evil").symlink_to("../outside")
    (root / "evil-file").symlink_to("../outside/secret")
    swapper = Swapper(root)
    swapper.start()
    outcomes: dict[object, int] = {}
    secret = os.stat(outside / "secret").st_ino
    end = time.monotonic() + 1
    count = 0
    while time.monotonic() < end:
        count += 1
        for path in ("flip/secret", "flip-file"):
            fd = program.open(path, 0, abi.FILE_RIGHTS, follow=bool(count & 1))
            if fd >= 0:
                assert program.read(fd) == b"inside"
                program.ok("fd_close", fd)
            outcomes[min(fd, 0)] = outcomes.get(min(fd, 0), 0) + 1
            status = program.path_stat(path)
            assert not isinstance(status, tuple) or status[1] != secret
        fd = program.open(f"flip/new{count}", abi.OFLAGS_CREAT, abi.FILE_RIGHTS)
        if fd >= 0:
            program.ok("fd_close", fd)
            program.call("path_unlink_file", 3, *program.put(f"flip/new{count}"))
    swapper.stop.set()
    swapper.join()
    assert swapper.swaps and outcomes.get(0), "both sides have had their turns"
    assert set(outcomes) <= {0, -abi.EPERM, -abi.ENOENT, -abi.ELOOP, -abi.ENOTDIR}
