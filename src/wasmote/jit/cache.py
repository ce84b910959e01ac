"""Compiled modules on disk, in the user's cache or the folder that WASMOTE_CACHE names.

An entry is an image, under the fingerprint of what it was made from, or a file that says why the
module cannot be compiled. Entries are written by whoever compiles: under another name first, so
there are whole ones only. Whatever goes wrong here costs time, nothing else.

An image is machine code: an entry counts only if nobody but this user can have written it.
"""

import os
import stat
import time
from collections.abc import Iterator

from wasmote.host.core_image import cache_folder

#: Bytes of all entries together; WASMOTE_CACHE_SIZE is another number.
DEFAULT_LIMIT = 1 << 30
IMAGE, REFUSAL, LOCK = ".aot", ".not", ".lock"
_TEMPORARY = ".new-"
#: Seconds after which a temporary file is what a crash has left, and a lock nobody's.
_ABANDONED = 3600
#: Seconds between two notes of when an entry was last used.
_COARSE = 60


class Entry:
    """A file of the cache; `used` is when it was last used, in seconds of `time.time`."""

    __slots__ = ("key", "kind", "path", "size", "used")

    def __init__(self, path: str, status: os.stat_result) -> None:
        self.path = path
        self.key, self.kind = os.path.splitext(os.path.basename(path))
        self.size, self.used = status.st_size, status.st_mtime


class Cache:
    """The entries in a folder, by default the user's."""

    def __init__(self, folder: str | None = None) -> None:
        own = os.environ.get("WASMOTE_CACHE") or os.path.join(cache_folder(), "modules")
        self.folder = folder or own

    def path(self, key: str, kind: str = IMAGE) -> str:
        """Where an entry is, or would be."""
        return os.path.join(self.folder, key + kind)

    def find(self, key: str) -> str | None:
        """The path of a module's image, if there is one to be trusted."""
        path = self.path(key)
        try:
            if not (_is_own(self.folder) and _is_own(path)):
                return None
            last = os.stat(path).st_mtime
        except OSError:
            return None
        if time.time() - last > _COARSE:
            try:
                os.utime(path)
            except OSError:  # the cache may be read-only
                pass
        return path

    def refusal(self, key: str) -> str | None:
        """Why the module cannot be compiled, if that is known."""
        try:
            if not (_is_own(self.folder) and _is_own(self.path(key, REFUSAL))):
                return None
            with open(self.path(key, REFUSAL), encoding="utf-8") as file:
                return file.read()
        except (OSError, ValueError):
            return None

    def remove(self, key: str) -> None:
        """Forget a module's image: it is damaged."""
        try:
            os.unlink(self.path(key))
        except OSError:
            pass

    def make_folder(self) -> None:
        """Raises OSError where no entry can be written, or others could have written it."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if not _is_own(self.folder):
            raise PermissionError(f"{self.folder} belongs to others, or others may write to it")

    def write(self, key: str, data: bytes, kind: str = IMAGE) -> str:
        """Add an entry; returns its path. Raises OSError, and leaves nothing behind then."""
        import tempfile

        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=_TEMPORARY)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, self.path(key, kind))
        except BaseException:
            os.unlink(temporary)
            raise
        return self.path(key, kind)

    def entries(self) -> list[Entry]:
        """All entries, those last used first."""
        found = [Entry(path, status) for path, status in self._files()]
        kept = [each for each in found if each.kind in (IMAGE, REFUSAL)]
        return sorted(kept, key=lambda each: each.used, reverse=True)

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        try:
            names = os.listdir(self.folder)
        except OSError:
            return
        for name in names:
            path = os.path.join(self.folder, name)
            try:
                yield path, os.stat(path, follow_symlinks=False)
            except OSError:
                pass  # somebody has just removed it

    def clear(self) -> int:
        """Remove everything but what is being written; returns the bytes that were freed."""
        return sum(_unlink(path, status) for path, status in self._files() if _is_old(path, status))

    def prune(self, limit: int | None = None) -> None:
        """Remove what was not used for longest, until the rest takes at most `limit` bytes."""
        left = size_limit() if limit is None else limit
        for entry in self.entries():
            left -= entry.size
            if left < 0:
                _unlink(entry.path)
        for path, status in self._files():
            if not path.endswith((IMAGE, REFUSAL)) and _is_abandoned(status):
                _unlink(path)


def size_limit() -> int:
    """Bytes that all entries together may take."""
    word = os.environ.get("WASMOTE_CACHE_SIZE", "")
    return int(word) if word.isdigit() else DEFAULT_LIMIT


def _is_own(path: str) -> bool:
    """Whether nobody but this user can have written a file or changed a folder. Raises OSError."""
    status = os.stat(path)
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_abandoned(status: os.stat_result) -> bool:
    return time.time() - status.st_mtime > _ABANDONED


def _is_old(path: str, status: os.stat_result) -> bool:
    """Whether nobody is at work on a file."""
    return path.endswith((IMAGE, REFUSAL)) or _is_abandoned(status)


def _unlink(path: str, status: os.stat_result | None = None) -> int:
    try:
        os.unlink(path)
    except OSError:
        return 0
    return status.st_size if status else 0
