"""Open files that are not the host's: positions in `File`s, and Python file objects as these."""

import os
from _thread import allocate_lock
from collections.abc import Sequence

from wasmote.wasi import abi
from wasmote.wasi.abi import EFBIG, EINVAL
from wasmote.wasi.descriptors import Descriptor
from wasmote.wasi.errors import CallError
from wasmote.wasi.filesystem import File, Status

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import BinaryIO

#: The most that one call moves, so that a guest cannot make the host hold gigabytes at once.
LIMIT = 1 << 24
_LARGEST = 0x7FFF_FFFF_FFFF_FFFF


class VirtualFile(Descriptor):
    """A `File` at a position."""

    def __init__(self, file: File, rights: int, flags: int = 0) -> None:
        super().__init__(file.stat().filetype, rights & abi.FILE_RIGHTS, flags=flags)
        self.file = file
        self._position = 0
        self._lock = allocate_lock()

    def stat(self) -> Status:
        return self.file.stat()

    def readv(self, buffers: Sequence[memoryview]) -> int:
        with self._lock:
            count = self.preadv(buffers, self._position)
            self._position += count
        return count

    def writev(self, buffers: Sequence[memoryview]) -> int:
        with self._lock:
            if self.flags & abi.APPEND:
                data = _joined(buffers)
                count = self.file.append(data) if data else 0
                self._position = self.file.stat().size
            else:
                count = self.pwritev(buffers, self._position)
                self._position += count
        return count

    def preadv(self, buffers: Sequence[memoryview], offset: int) -> int:
        total = 0
        for buffer in buffers:
            wanted = min(len(buffer), LIMIT - total)
            data = self.file.read(offset + total, wanted) if wanted else b""
            buffer[: len(data)] = data
            total += len(data)
            if len(data) < len(buffer):
                break
        return total

    def pwritev(self, buffers: Sequence[memoryview], offset: int) -> int:
        data = _joined(buffers)
        if offset + len(data) > _LARGEST:
            raise CallError(EFBIG)
        return self.file.write(offset, data) if data else 0

    def seek(self, offset: int, origin: int) -> int:
        with self._lock:
            if origin == os.SEEK_CUR:
                offset += self._position
            elif origin == os.SEEK_END:
                offset += self.file.stat().size
            if not 0 <= offset <= _LARGEST:
                raise CallError(EINVAL)
            self._position = offset
        return offset

    def available(self) -> int:
        return max(0, self.file.stat().size - self._position)

    def utime(self, accessed: int, modified: int) -> None:
        self.file.utime(accessed, modified)

    def truncate(self, size: int) -> None:
        self.file.truncate(size)

    def allocate(self, offset: int, length: int) -> None:
        self.file.truncate(max(self.file.stat().size, offset + length))

    def sync(self) -> None:
        self.file.sync()


class PythonFile(File):
    """A binary file object that can seek. Its own position is nobody's business meanwhile."""

    def __init__(self, file: "BinaryIO") -> None:
        self._file = file
        self._lock = allocate_lock()

    def stat(self) -> Status:
        with self._lock:
            return Status(abi.REGULAR_FILE, self._file.seek(0, os.SEEK_END), inode=id(self._file))

    def read(self, offset: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size) or b""

    def write(self, offset: int, data: bytes) -> int:
        with self._lock:
            self._file.seek(offset)
            return self._write(data)

    def append(self, data: bytes) -> int:
        with self._lock:
            self._file.seek(0, os.SEEK_END)
            return self._write(data)

    def _write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._file.flush()
        return count or 0

    def truncate(self, size: int) -> None:
        with self._lock:
            present = self._file.seek(0, os.SEEK_END)
            if size <= present:
                self._file.truncate(size)
            while present < size:  # truncating does not make every kind of file larger
                present += self._file.write(bytes(min(size - present, LIMIT)))

    def utime(self, accessed: int, modified: int) -> None:
        """File objects have no times."""

    def sync(self) -> None:
        self._file.flush()


def _joined(buffers: Sequence[memoryview]) -> bytes:
    """The bytes to write, a copy: the guest's memory changes."""
    data = b""
    for buffer in buffers:
        data += bytes(buffer[: LIMIT - len(data)])
    return data
