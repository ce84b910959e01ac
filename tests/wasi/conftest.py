"""A stand-in for a WebAssembly program: calls WASI functions through an instance of its own."""

import functools
import io
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmote import Instance, Module
from wasmote.wasi import Wasi, abi
from wasmote.wat import wat2wasm

SIZE = 1 << 17


@functools.cache
def forwarder(version: str) -> Module:
    """A module that exports each function of WASI, and calls it with the same arguments."""
    imports, exports = [], []
    with Wasi() as wasi:
        functions = wasi.imports()[version]
    for name, function in functions.items():
        params = " ".join(map(str, function.type.params))
        results = " ".join(map(str, function.type.results))
        type_ = f"(param {params}) (result {results})"
        imports.append(f'(import "{version}" "{name}" (func ${name} {type_}))')
        arguments = " ".join(f"(local.get {i})" for i in range(len(function.type.params)))
        exports.append(f'(func (export "{name}") {type_} (call ${name} {arguments}))')
    memory = f'(memory (export "memory") {SIZE >> 16})'
    return Module(wat2wasm(f"(module {' '.join(imports)} {memory} {' '.join(exports)})"))


def signed(number: int, bits: int) -> int:
    """`number` as an engine passes it: a signed integer of `bits` bits."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


class Program:
    """Calls the functions of a `Wasi` with pointers into a memory, as a program would."""

    def __init__(self, wasi: Wasi, version: str = "wasi_snapshot_preview1") -> None:
        self.wasi = wasi
        self.instance = Instance(forwarder(version), wasi.imports())
        exports = self.instance.exports
        self.memory = memoryview(exports.memory)  # type: ignore[arg-type]
        self.functions = {name: exports[name] for name in exports if name != "memory"}
        self._free = 1024

    def alloc(self, length: int) -> int:
        """Address of `length` fresh bytes."""
        if self._free + length > SIZE:
            self._free = 1024
        address = self._free
        self._free += (length + 15) & ~7
        return address

    def put(self, data: bytes | str) -> tuple[int, int]:
        """Store data; its address and length, as most functions take them."""
        data = data.encode() if isinstance(data, str) else data
        address = self.alloc(len(data))
        self.memory[address : address + len(data)] = data
        return address, len(data)

    def call(self, name: str, *arguments: int) -> int:
        """The errno of a call."""
        function = self.functions[name]
        widths = [int(str(kind)[1:]) for kind in function.type.params]
        assert len(widths) == len(arguments)
        return function(*map(signed, arguments, widths))

    def ok(self, name: str, *arguments: int) -> None:
        """A call that has to succeed."""
        errno = self.call(name, *arguments)
        assert errno == abi.ESUCCESS, f"{name}: errno {errno}"

    def u32(self, address: int) -> int:
        return struct.unpack_from("<I", self.memory, address)[0]

    def u64(self, address: int) -> int:
        return struct.unpack_from("<Q", self.memory, address)[0]

    def get(self, address: int, length: int) -> bytes:
        return bytes(self.memory[address : address + length])

    # The functions used most, with Python's arguments and results.

    def open(
        self,
        path: str | bytes,
        oflags: int = 0,
        rights: int = abi.FILE_RIGHTS & ~abi.WRITING_RIGHTS,
        *,
        fd: int = 3,
        fdflags: int = 0,
        follow: bool = True,
        inheriting: int = abi.INHERITABLE_RIGHTS,
    ) -> int:
        """The new descriptor, or minus the errno."""
        result = self.alloc(4)
        errno = self.call(
            "path_open",
            *(fd, int(follow), *self.put(path), oflags, rights, inheriting, fdflags, result),
        )
        return -errno if errno else self.u32(result)

    def create(self, path: str, data: bytes = b"") -> int:
        """A new file that can be used for everything."""
        fd = self.open(path, abi.OFLAGS_CREAT | abi.OFLAGS_TRUNC, abi.FILE_RIGHTS)
        assert fd >= 0, -fd
        if data:
            assert self.write(fd, data) == len(data)
        return fd

    def iovecs(self, *buffers: tuple[int, int]) -> tuple[int, int]:
        data = b"".join(abi.IOVEC.pack(*buffer) for buffer in buffers)
        return self.put(data)[0], len(buffers)

    def write(self, fd: int, *data: bytes) -> int:
        """Bytes written, or minus the errno."""
        result = self.alloc(4)
        errno = self.call("fd_write", fd, *self.iovecs(*map(self.put, data)), result)
        return -errno if errno else self.u32(result)

    def read(self, fd: int, length: int = 100) -> bytes | int:
        """The bytes read, or minus the errno."""
        result, buffer = self.alloc(4), self.alloc(length)
        errno = self.call("fd_read", fd, *self.iovecs((buffer, length)), result)
        return -errno if errno else self.get(buffer, self.u32(result))

    def seek(self, fd: int, offset: int, whence: int = 0) -> int:
        """The new position, or minus the errno."""
        result = self.alloc(8)
        errno = self.call("fd_seek", fd, offset, whence, result)
        return -errno if errno else self.u64(result)

    def fdstat(self, fd: int) -> tuple[int, int, int, int]:
        """filetype, flags, rights, inheriting"""
        result = self.alloc(abi.FDSTAT.size)
        self.ok("fd_fdstat_get", fd, result)
        return abi.FDSTAT.unpack_from(self.memory, result)

    def path_stat(self, path: str, follow: bool = True, fd: int = 3) -> tuple[int, ...] | int:
        """dev, ino, filetype, nlink, size, atim, mtim, ctim; or minus the errno."""
        layout = abi.PREVIEW1.filestat
        result = self.alloc(layout.size)
        errno = self.call("path_filestat_get", fd, int(follow), *self.put(path), result)
        return -errno if errno else layout.unpack_from(self.memory, result)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The host's directory behind descriptor 3."""
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def streams() -> tuple[io.BytesIO, io.BytesIO, io.BytesIO]:
    """Standard input, output and error of the program."""
    return io.BytesIO(b"input"), io.BytesIO(), io.BytesIO()


@pytest.fixture
def program(root: Path, streams: tuple[io.BytesIO, io.BytesIO, io.BytesIO]) -> Iterator[Program]:
    with Wasi(["prog", "ä", b"\xff"], {"A": "1", "B": "x=y"}, {"/": root}, *streams) as wasi:
        yield Program(wasi)
