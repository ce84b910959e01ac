"""Where modules come from: bytes, files that are read or mapped, images; and their signatures."""

import mmap
import os
import stat

from wasmote.errors import SignatureError
from wasmote.image.format import MAGIC as IMAGE_MAGIC

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from io import BufferedReader
    from typing import BinaryIO

    from wasmote.image.signature import KeySource, PublicKeys

#: Files of at least this many bytes are mapped, not read.
_MAPPED_SIZE = 1 << 20
#: Numbers of file systems that are read-only by nature: squashfs, erofs, cramfs, romfs, ISO 9660.
_READ_ONLY = {0x73717368, 0xE0F5E1E2, 0x28CD3D45, 0x7275, 0x9660}


class CompiledFile:
    """An open file with an image. Unless `verify`, its signature was checked, and so its hash."""

    __slots__ = ("file", "path", "verify")

    def __init__(self, path: str, file: "BinaryIO", verify: bool) -> None:
        self.path, self.file, self.verify = path, file, verify


def open_source(
    source: "bytes | bytearray | memoryview | str | os.PathLike[str]",
    keys: "KeySource | None" = None,
) -> bytes | mmap.mmap | CompiledFile:
    """A module's bytes, or an image's file. Raises SignatureError, OSError."""
    trusted = None if keys is None else public_keys(keys)
    if not isinstance(source, str | os.PathLike):
        raw = source if isinstance(source, bytes) else bytes(memoryview(source))
        return _from_bytes("the image", raw, trusted)
    path = os.fspath(source)
    file = open(path, "rb")  # noqa: SIM115 - an image's stays open
    try:
        opened = _from_file(path, file, trusted)
    except BaseException:
        file.close()
        raise
    if not isinstance(opened, CompiledFile) or opened.file is not file:
        file.close()
    return opened


def _from_file(
    path: str, file: "BufferedReader", trusted: "PublicKeys | None"
) -> bytes | mmap.mmap | CompiledFile:
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode):
        if file.peek(4)[:4] == IMAGE_MAGIC:
            if trusted is None:
                return CompiledFile(path, file, verify=True)
            if cannot_change(file.fileno()):
                whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                _check(path, memoryview(whole), trusted)
                return CompiledFile(path, file, verify=False)
        elif status.st_size >= _MAPPED_SIZE and trusted is None:
            # Private and writable, because ctypes gives no address of what is read-only.
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return _from_bytes(path, file.read(), trusted)


def _from_bytes(path: str, raw: bytes, trusted: "PublicKeys | None") -> bytes | CompiledFile:
    if trusted is not None:
        _check(path, raw, trusted)
    return in_memory(path, raw, verify=trusted is None) if raw[:4] == IMAGE_MAGIC else raw


def in_memory(path: str, raw: bytes, verify: bool) -> CompiledFile:
    """A file that is in memory only, and that nobody can change."""
    import fcntl

    file = os.fdopen(os.memfd_create("wasmote", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    file.write(raw)
    file.flush()
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(file.fileno(), fcntl.F_ADD_SEALS, seals)
    return CompiledFile(path, file, verify)


def cannot_change(descriptor: int) -> bool:
    """Whether the bytes of an open file are the same for ever: it is a sealed file in memory, or
    its file system has no way to write.
    """
    import ctypes
    import fcntl

    wanted = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK
    try:
        if fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & wanted == wanted:
            return True
    except OSError:  # not a file in memory
        pass
    about = (ctypes.c_ulong * 32)()  # struct statfs: the first number is that of the file system
    found = ctypes.CDLL(None).fstatfs(descriptor, about) == 0
    return found and about[0] in _READ_ONLY


def public_keys(source: "KeySource") -> "PublicKeys":
    """The keys of a PEM file. Raises SignatureError for what is none, OSError, ImportError."""
    from wasmote.image import signature

    try:
        return signature.PublicKeys([source])
    except signature.SignatureError as error:
        name = "the public key" if isinstance(source, bytes) else os.fspath(source)
        raise SignatureError(f"{name}: {error}") from None
    except ModuleNotFoundError as error:
        raise ImportError(
            f"signatures need the package {error.name}: pip install 'wasmote[sign]'"
        ) from None


def _check(path: str, raw: "bytes | memoryview", trusted: "PublicKeys") -> None:
    from wasmote.image import signature

    try:
        trusted.check(raw)
    except signature.SignatureError as error:
        raise SignatureError(f"{path}: {error}") from None
