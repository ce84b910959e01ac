"""Opening by path, listing, links, renaming, removing."""

import os
import socket
import stat
import time
from pathlib import Path

import pytest

from wasmote.wasi import Wasi, abi

from .conftest import Program

CREAT, DIRECTORY, EXCL, TRUNC = 1, 2, 4, 8


def path_call(program: Program, name: str, path: str | bytes, fd: int = 3) -> int:
    return program.call(name, fd, *program.put(path))


def link(program: Program, old: str, new: str, flags: int = 0) -> int:
    return program.call("path_link", 3, flags, *program.put(old), 3, *program.put(new))


def rename(program: Program, old: str, new: str) -> int:
    return program.call("path_rename", 3, *program.put(old), 3, *program.put(new))


def symlink(program: Program, target: str, name: str) -> int:
    return program.call("path_symlink", *program.put(target), 3, *program.put(name))


def readdir(program: Program, fd: int = 3, size: int = 4096, cookie: int = 0) -> bytes:
    """The raw contents of one call's buffer."""
    buffer, used = program.alloc(size), program.alloc(4)
    program.ok("fd_readdir", fd, buffer, size, cookie, used)
    return program.get(buffer, program.u32(used))


def records(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """The complete (cookie, inode, filetype, name) in a buffer."""
    found = []
    while len(data) >= abi.DIRENT.size:
        cookie, inode, length, filetype = abi.DIRENT.unpack_from(data)
        end = abi.DIRENT.size + length
        if end > len(data):
            break
        found.append((cookie, inode, filetype, data[abi.DIRENT.size : end]))
        data = data[end:]
    return found


# Preopened directories


def test_preopens_in_order(tmp_path: Path) -> None:
    names = ["/", "some/where", "data ä"]
    for number in range(len(names)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "marker").write_text(str(number))
    dirs = {name: tmp_path / str(number) for number, name in enumerate(names)}
    with Wasi(dirs=dirs) as wasi:
        program = Program(wasi)
        for fd, name in enumerate(names, 3):
            program.ok("fd_prestat_get", fd, 64)
            length = len(name.encode())
            assert (program.u32(64) & 0xFF, program.u32(68)) == (0, length)
            program.ok("fd_prestat_dir_name", fd, 128, length)
            assert program.get(128, length) == name.encode()
            program.ok("fd_prestat_dir_name", fd, 128, length + 5)
            assert program.call("fd_prestat_dir_name", fd, 128, length - 1) == abi.ENAMETOOLONG
            assert program.read(program.open("marker", fd=fd)) == str(fd - 3).encode()
        for fd in (0, 1, 2, 6):
            assert program.call("fd_prestat_get", fd, 64) == abi.EBADF
            assert program.call("fd_prestat_dir_name", fd, 64, 10) == abi.EBADF
        expected = (abi.DIRECTORY, 0, abi.DIRECTORY_RIGHTS, abi.INHERITABLE_RIGHTS)
        assert program.fdstat(3) == expected


# path_open


@pytest.mark.parametrize(
    ("path", "oflags", "errno"),
    [
        ("file", 0, 0),
        ("file", CREAT, 0),
        ("file", CREAT | EXCL, abi.EEXIST),
        ("file", DIRECTORY, abi.ENOTDIR),
        ("file/", 0, abi.ENOTDIR),
        ("file/.", 0, abi.ENOTDIR),
        ("file/x", 0, abi.ENOTDIR),
        ("file/..", 0, abi.ENOTDIR),
        ("new", 0, abi.ENOENT),
        ("new", CREAT, 0),
        ("new", CREAT | EXCL, 0),
        ("new/", 0, abi.ENOENT),
        ("new/", CREAT, abi.ENOENT),
        ("new/x", CREAT, abi.ENOENT),
        ("", 0, abi.ENOENT),
        (".", 0, 0),
        (".", DIRECTORY, 0),
        (".", CREAT, abi.EISDIR),
        ("dir", 0, 0),
        ("dir/", DIRECTORY, 0),
        ("dir//.//", DIRECTORY, 0),
        ("dir/..", DIRECTORY, 0),
        ("dir/../file", 0, 0),
        ("./dir/.././file", 0, 0),
        ("dir", CREAT, abi.EISDIR),
        ("to-file", 0, 0),
        ("to-file/", 0, abi.ENOTDIR),
        ("to-dir", DIRECTORY, 0),
        ("to-dir/inner", 0, 0),
        ("to-dir/../file", 0, 0),
        ("dangling", 0, abi.ENOENT),
        ("dangling", CREAT, 0),
        ("dangling", CREAT | EXCL, abi.EEXIST),
        ("loop", 0, abi.ELOOP),
        ("loop/x", 0, abi.ELOOP),
        ("ping", 0, abi.ELOOP),
        ("a" * 256, CREAT, abi.ENAMETOOLONG),
        ("a/" * 2048, 0, abi.ENAMETOOLONG),
        ("dir/../" * 500 + "file", 0, 0),
        ("nul\0byte", 0, abi.EINVAL),
        ("file", 16, abi.EINVAL),
    ],
)
def test_open(program: Program, root: Path, path: str, oflags: int, errno: int) -> None:
    (root / "dir").mkdir()
    (root / "dir" / "inner").touch()
    (root / "file").touch()
    targets = {"to-file": "file", "to-dir": "dir/", "dangling": "gone", "loop": "loop"}
    for name, target in {**targets, "ping": "pong", "pong": "ping"}.items():
        (root / name).symlink_to(target)
    fd = program.open(path, oflags)
    assert -min(fd, 0) == errno
    if path == "dangling" and oflags == CREAT:
        assert (root / "gone").is_file()


def test_open_without_following(program: Program, root: Path) -> None:
    (root / "dir").mkdir()
    (root / "dir" / "file").write_text("text")
    (root / "link").symlink_to("dir/file")
    (root / "to-dir").symlink_to("dir")
    assert program.open("link", follow=False) == -abi.ELOOP
    assert program.open("to-dir", DIRECTORY, follow=False) in (-abi.ENOTDIR, -abi.ELOOP)
    assert program.open("to-dir/file", follow=False) > 0, "only the last component counts"
    assert program.open("to-dir/", DIRECTORY, follow=False) > 0, "a slash follows, as in POSIX"


def test_open_through_as_many_links_as_allowed(program: Program, root: Path) -> None:
    (root / "0").write_text("end")
    for number in range(1, 42):
        (root / str(number)).symlink_to(str(number - 1))
    assert program.read(program.open("40")) == b"end"
    assert program.open("41") == -abi.ELOOP


def test_open_truncates(program: Program, root: Path) -> None:
    (root / "file").write_bytes(b"data")
    program.open("file", TRUNC, abi.FILE_RIGHTS)
    assert (root / "file").read_bytes() == b""


def test_rights_choose_between_reading_and_writing(program: Program, root: Path) -> None:
    (root / "file").write_bytes(b"data")
    reading = program.open("file", 0, abi.FD_READ)
    assert program.fdstat(reading)[2] == abi.FD_READ
    assert program.read(reading) == b"data"
    assert program.write(reading, b"x") == -abi.ENOTCAPABLE
    writing = program.open("file", 0, abi.FD_WRITE)
    assert program.write(writing, b"D") == 1
    assert program.read(writing) == -abi.ENOTCAPABLE
    neither = program.open("file", 0, 0)
    assert program.read(neither) == -abi.ENOTCAPABLE
    assert program.open("dir", CREAT, 0) > 0
    assert (root / "file").read_bytes() == b"Data"


def test_a_directory_hands_down_only_what_it_may(program: Program, root: Path) -> None:
    (root / "file").touch()
    rights = abi.PATH_OPEN | abi.FD_READDIR
    sub = program.open(".", DIRECTORY, rights, inheriting=abi.FD_READ | abi.PATH_OPEN)
    assert program.fdstat(sub)[2:] == (rights, abi.FD_READ | abi.PATH_OPEN)
    below = {"fd": sub, "inheriting": 0}
    assert program.open("file", 0, abi.FD_READ, **below) > 0
    assert program.open("file", 0, abi.FD_READ | abi.FD_WRITE, **below) == -abi.ENOTCAPABLE
    assert program.open("new", CREAT, abi.FD_READ, **below) == -abi.ENOTCAPABLE
    assert program.open("file", TRUNC, abi.FD_READ, **below) == -abi.ENOTCAPABLE
    for flag in (abi.SYNC, abi.RSYNC, abi.DSYNC):
        assert program.open("file", 0, 0, fdflags=flag, **below) == -abi.ENOTCAPABLE
    assert path_call(program, "path_create_directory", "x", sub) == abi.ENOTCAPABLE
    assert program.path_stat("file", fd=sub) == -abi.ENOTCAPABLE


def test_rights_to_write_alone_do_not_open_for_writing(program: Program, root: Path) -> None:
    """Go's library asks for them even to read; a file that may only be read has to open."""
    (root / "file").touch()
    (root / "dir").mkdir()
    rights = abi.FILE_RIGHTS & ~abi.FD_WRITE
    fd = program.open("file", 0, rights)
    assert program.fdstat(fd)[2] == rights & ~abi.FD_ALLOCATE & ~abi.FD_FILESTAT_SET_SIZE
    assert program.call("fd_filestat_set_size", fd, 0) == abi.ENOTCAPABLE
    assert program.open("dir", 0, rights) > 0


def test_all_rights_at_once(program: Program, root: Path) -> None:
    """Rust's standard library asks for every bit there is."""
    (root / "file").touch()
    fd = program.open("file", 0, 0xFFFF_FFFF_FFFF_FFFF, inheriting=0xFFFF_FFFF_FFFF_FFFF)
    assert program.fdstat(fd) == (abi.REGULAR_FILE, 0, abi.FILE_RIGHTS, 0)


def test_a_directory_cannot_be_opened_for_writing(program: Program) -> None:
    assert program.open(".", DIRECTORY, abi.FD_READ | abi.FD_WRITE) == -abi.EISDIR
    assert program.open(".", 0, abi.FD_READ | abi.FD_WRITE) == -abi.EISDIR
    fd = program.open(".", DIRECTORY, abi.FD_READ)
    assert program.read(fd) == -abi.ENOTCAPABLE


def test_fifo_and_socket_do_not_hang(program: Program, root: Path) -> None:
    os.mkfifo(root / "fifo")
    start = time.monotonic()
    fd = program.open("fifo", 0, abi.FD_READ)
    assert fd > 0 and program.read(fd) == b""
    assert program.open("fifo", 0, abi.FD_WRITE) > 0, "there is a reader now"
    program.ok("fd_close", fd)
    assert program.open("fifo", 0, abi.FD_WRITE) == -abi.ENXIO
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        assert program.open("socket", 0, abi.FD_READ) < 0
    assert time.monotonic() - start < 5


def test_not_a_directory(program: Program) -> None:
    fd = program.create("file")
    assert program.open("x", fd=fd) == -abi.ENOTDIR
    assert path_call(program, "path_unlink_file", "x", fd) == abi.ENOTDIR
    assert program.call("fd_readdir", fd, 64, 100, 0, 32) == abi.ENOTDIR
    assert program.open("x", fd=1000) == -abi.EBADF


# fd_readdir


def test_readdir(program: Program, root: Path) -> None:
    (root / "file").touch()
    (root / "dir").mkdir()
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"\xff\xfe")).touch()
    found = records(readdir(program))
    assert [record[0] for record in found] == list(range(1, 8))
    assert [record[3] for record in found[:2]] == [b".", b".."]
    assert found[0][1] == found[1][1] == root.stat().st_ino
    types = {name: filetype for _, _, filetype, name in found}
    assert types == {
        b".": abi.DIRECTORY,
        b"..": abi.DIRECTORY,
        b"file": abi.REGULAR_FILE,
        b"dir": abi.DIRECTORY,
        b"link": abi.SYMBOLIC_LINK,
        b"fifo": abi.UNKNOWN,
        b"\xff\xfe": abi.REGULAR_FILE,
    }
    inodes = {name: inode for _, inode, _, name in found}
    assert inodes[b"file"] == (root / "file").stat().st_ino


def test_readdir_buffers_of_every_size(program: Program, root: Path) -> None:
    names = {b".", b".."}
    for number in range(20):
        name = f"{'x' * number}{number}"
        (root / name).touch()
        names.add(name.encode())
    whole = readdir(program)
    for size in range(1, 200):
        assert readdir(program, size=size) == whole[:size]
    for size in (46, 60, 100, 333):
        cookie, seen = 0, []
        while True:
            data = readdir(program, size=size, cookie=cookie)
            found = records(data)
            seen += [record[3] for record in found]
            if len(data) < size:
                break
            cookie = found[-1][0]
        assert len(seen) == len(names) and set(seen) == names


def test_readdir_cookies(program: Program, root: Path) -> None:
    for name in "abc":
        (root / name).touch()
    found = records(readdir(program))
    for index, record in enumerate(found):
        assert records(readdir(program, cookie=record[0])) == found[index + 1 :]
    assert readdir(program, cookie=1000) == b""
    assert readdir(program, cookie=0xFFFF_FFFF_FFFF_FFFF) == b""
    (root / "d").touch()
    assert len(records(readdir(program, cookie=1))) == 4, "a listing under way does not change"
    assert len(records(readdir(program))) == 6, "cookie 0 looks again"
    assert readdir(program, size=0) == b""


def test_readdir_while_removing(program: Program, root: Path) -> None:
    for number in range(50):
        (root / f"file{number}").touch()
    cookie = 0
    while found := records(readdir(program, size=64, cookie=cookie)):
        cookie, _, filetype, name = found[0]
        if filetype == abi.REGULAR_FILE:
            assert path_call(program, "path_unlink_file", name) == 0
    assert not list(root.iterdir())


# Making and removing


def test_make_and_remove_directories(program: Program, root: Path) -> None:
    make, remove = "path_create_directory", "path_remove_directory"
    assert path_call(program, make, "a") == 0
    assert path_call(program, make, "a/b/") == 0
    assert path_call(program, make, "a") == abi.EEXIST
    assert path_call(program, make, ".") == abi.EEXIST
    assert path_call(program, make, "x/y") == abi.ENOENT
    assert path_call(program, make, "") == abi.ENOENT
    assert path_call(program, remove, "a") == abi.ENOTEMPTY
    assert path_call(program, remove, "a/.") == abi.EINVAL
    assert path_call(program, remove, "a/b/") == 0
    assert path_call(program, remove, "a") == 0
    assert path_call(program, remove, "a") == abi.ENOENT
    (root / "file").touch()
    (root / "link").symlink_to("file")
    for name in ("file", "file/", "link"):
        assert path_call(program, remove, name) == abi.ENOTDIR
    assert stat.S_ISDIR(root.stat().st_mode)


def test_unlink(program: Program, root: Path) -> None:
    (root / "dir").mkdir()
    (root / "file").touch()
    (root / "link").symlink_to("dir")
    unlink = "path_unlink_file"
    assert path_call(program, unlink, "file/") == abi.ENOTDIR
    assert path_call(program, unlink, "file") == 0
    assert path_call(program, unlink, "file") == abi.ENOENT
    assert path_call(program, unlink, "dir") == abi.EISDIR
    assert path_call(program, unlink, "dir/") == abi.EISDIR
    assert path_call(program, unlink, ".") == abi.EISDIR
    assert path_call(program, unlink, "link/") == abi.ENOTDIR
    assert path_call(program, unlink, "link") == 0
    assert (root / "dir").is_dir()


def test_links(program: Program, root: Path) -> None:
    (root / "file").write_text("text")
    (root / "dir").mkdir()
    assert symlink(program, "file", "soft") == 0
    assert link(program, "file", "hard") == 0
    assert (root / "hard").samefile(root / "file")
    assert link(program, "soft", "hard-soft") == 0
    assert (root / "hard-soft").is_symlink()
    assert link(program, "soft", "hard-file", 1) == 0
    assert not (root / "hard-file").is_symlink()
    assert link(program, "file", "soft") == abi.EEXIST
    assert link(program, "file", "dir") == abi.EEXIST
    assert link(program, "gone", "x") == abi.ENOENT
    assert link(program, "dir", "x") in (abi.EPERM, abi.EACCES)
    assert link(program, "file", "x/") == abi.ENOENT
    assert link(program, "file/", "x") == abi.ENOTDIR
    assert symlink(program, "file", "file") == abi.EEXIST
    assert symlink(program, "file", "x/") == abi.ENOENT
    assert symlink(program, "file", "dir/") == abi.EEXIST
    assert symlink(program, "/etc/passwd", "x") == abi.EPERM
    assert symlink(program, "", "x") == abi.ENOENT
    assert symlink(program, "a\0b", "x") == abi.EINVAL


def test_readlink(program: Program, root: Path) -> None:
    (root / "link").symlink_to("some/target")
    (root / "file").touch()
    name = program.put("link")
    for size, expected in ((100, b"some/target"), (11, b"some/target"), (4, b"some"), (0, b"")):
        buffer, used = program.alloc(size), program.alloc(4)
        program.ok("path_readlink", 3, *name, buffer, size, used)
        assert program.get(buffer, program.u32(used)) == expected
    file = program.put("file")
    assert program.call("path_readlink", 3, *file, 64, 100, 32) == abi.EINVAL


def test_rename(program: Program, root: Path) -> None:
    (root / "file").write_text("text")
    (root / "dir" / "full").mkdir(parents=True)
    (root / "empty").mkdir()
    assert rename(program, "file", "moved") == 0
    assert rename(program, "file", "other") == abi.ENOENT
    assert rename(program, "moved/", "x") == abi.ENOTDIR
    assert rename(program, "moved", "x/") == abi.ENOTDIR
    assert rename(program, "moved", "dir") == abi.EISDIR
    assert rename(program, "dir", "moved") == abi.ENOTDIR
    assert rename(program, "empty", "dir") == abi.ENOTEMPTY
    assert rename(program, "dir", "dir/full/x") == abi.EINVAL
    assert rename(program, ".", "x") in (abi.EBUSY, abi.EINVAL)
    assert rename(program, "dir/", "empty/") == 0
    assert rename(program, "empty", "new/") == 0
    assert rename(program, "moved", "new/full/file") == 0
    assert (root / "new" / "full" / "file").read_text() == "text"


def test_filestat_of_links(program: Program, root: Path) -> None:
    (root / "file").write_text("12345")
    (root / "link").symlink_to("file")
    (root / "dir").mkdir()
    followed, itself = program.path_stat("link"), program.path_stat("link", follow=False)
    assert isinstance(followed, tuple) and isinstance(itself, tuple)
    assert (followed[2], followed[4]) == (abi.REGULAR_FILE, 5)
    assert (itself[2], itself[4]) == (abi.SYMBOLIC_LINK, 4)
    directory = program.path_stat("dir/")
    assert isinstance(directory, tuple) and directory[2] == abi.DIRECTORY
    assert program.path_stat("file/") == -abi.ENOTDIR
    assert program.path_stat("gone") == -abi.ENOENT


@pytest.mark.parametrize(
    ("name", "right", "arguments"),
    [
        ("path_create_directory", abi.PATH_CREATE_DIRECTORY, "fp"),
        ("path_remove_directory", abi.PATH_REMOVE_DIRECTORY, "fp"),
        ("path_unlink_file", abi.PATH_UNLINK_FILE, "fp"),
        ("path_filestat_get", abi.PATH_FILESTAT_GET, "f0pr"),
        ("path_filestat_set_times", abi.PATH_FILESTAT_SET_TIMES, "f0p000"),
        ("path_readlink", abi.PATH_READLINK, "fpr0r"),
        ("path_symlink", abi.PATH_SYMLINK, "pfp"),
        ("path_link", abi.PATH_LINK_SOURCE, "f0pfp"),
        ("path_link", abi.PATH_LINK_TARGET, "f0pfp"),
        ("path_rename", abi.PATH_RENAME_SOURCE, "fpfp"),
        ("path_rename", abi.PATH_RENAME_TARGET, "fpfp"),
        ("path_open", abi.PATH_OPEN, "f0p0000r"),
        ("fd_readdir", abi.FD_READDIR, "fr00r"),
    ],
)
def test_each_function_needs_its_right(
    program: Program, name: str, right: int, arguments: str
) -> None:
    """Arguments: f = the directory, p = a path, r = room for a result, 0."""

    def call(fd: int) -> int:
        values: list[int] = []
        for kind in arguments:
            values += {"f": (fd,), "p": program.put("x"), "r": (64,), "0": (0,)}[kind]
        return program.call(name, *values)

    sub = program.open(".", DIRECTORY, abi.DIRECTORY_RIGHTS)
    assert call(sub) != abi.ENOTCAPABLE
    program.ok("fd_fdstat_set_rights", sub, abi.DIRECTORY_RIGHTS & ~right, 0)
    assert call(sub) == abi.ENOTCAPABLE
