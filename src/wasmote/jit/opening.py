"""Opening modules that may be in the cache: then nothing of their code is read but to be hashed."""

import mmap
import os

from wasmote.api.module import Module
from wasmote.errors import WasmoteError
from wasmote.image.format import MAGIC
from wasmote.isa.features import FEATURES, feature_mask
from wasmote.jit.cache import Cache
from wasmote.jit.fingerprint import fingerprint
from wasmote.jit.settings import SETTINGS
from wasmote.jit.tier import tier_for

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Iterable


def open_module(path: str, features: "Iterable[str]" = FEATURES) -> Module:
    """`Module(path)`, as compiled code if the cache has it. Raises what that raises."""
    if not SETTINGS.cache:
        return Module(path, features=features)
    before, key = _key(path, feature_mask(features))
    if not key:
        return Module(path, features=features)
    cache = Cache()
    image = cache.find(key)
    if image is not None:
        name = os.path.splitext(os.path.basename(path))[0]
        try:
            return Module(image, name=name, features=features)
        except (WasmoteError, OSError):
            cache.remove(key)
    module = Module(path, features=features)
    if _identity(os.stat(path)) == before:  # else the key may be that of another file
        tier_for(module).key = key
    return module


def _key(path: str, features: int) -> tuple[object, str]:
    """What tells whether the file is still the same, and its key; none for an image."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not status.st_size or file.peek(4)[:4] == MAGIC:
            return None, ""
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            return _identity(status), fingerprint(whole, features, SETTINGS.level)


def _identity(status: os.stat_result) -> object:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
