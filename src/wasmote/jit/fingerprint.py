"""Names compiled modules: equal names mean equal code."""

import hashlib
import os
import sys
from functools import cache

from wasmote.host.cpython.binding import BINDING

_COMPILER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "compile")
#: What of /proc/cpuinfo decides which code is made.
_PROCESSOR = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU", "isa")


def fingerprint(binary: object, features: int, level: int, metered: bool = False) -> str:
    """The key of a module's code, for this machine and this version of everything.

    `features` are the bits of those that the module may use; `metered` code counts instructions.
    """
    digest = hashlib.sha256(_surroundings())
    digest.update(f"{level} {features:x} {metered:d}\n".encode())
    digest.update(binary)  # type: ignore[arg-type]
    return digest.hexdigest()[:40]


@cache
def _surroundings() -> bytes:
    """The core, the compiler and the processor."""
    with open(BINDING.image.path, "rb") as file:
        core = file.read(72)  # the header with its hash
    return b"\n".join([core, _compiler().encode(), _processor().encode(), b""])


def _compiler() -> str:
    """The compiler's files as they are; without hashing them, as this is at each start."""
    found = [f"{sys.version_info[:2]}"]
    for path, folders, files in os.walk(_COMPILER):
        folders.sort()
        for name in sorted(each for each in files if each.endswith(".py")):
            status = os.stat(os.path.join(path, name))
            found.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(found)


def _processor() -> str:
    found = [os.uname().machine]
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.isspace():  # the next one is like it
                    break
                if line.startswith(_PROCESSOR):
                    found.append(line)
    except OSError:
        pass
    return "\n".join(found)
