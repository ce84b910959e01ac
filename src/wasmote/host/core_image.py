"""The image of the virtual machine: which functions it holds, and where a process finds it.

A wheel carries an image for each supported target beside this file. In a checkout the image is
built when it is first needed (which takes llvmlite and some seconds), and kept in the user's cache
under the hash of the sources that it is made from.
"""

import os
import sys
from collections.abc import Iterator

from wasmote.image.loader import LoadedImage
from wasmote.nativepy.targets import TARGETS, Target, host_target

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.nativepy import NativeFunction

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)
#: Folders whose sources become native code, or turn them into it.
SOURCES = ("nativepy", "image", "isa", "core", "interp", "aot", "libc/native", "host")
#: Modules whose exported functions, and all that these reach, make up the core.
MODULES = (
    "wasmote.core.decode.module",
    "wasmote.core.decode.names",
    "wasmote.core.store",
    "wasmote.core.type_store",
    "wasmote.core.frames",
    "wasmote.core.gc.collect",
    "wasmote.core.gc.pins",
    "wasmote.core.gc.roots",
    "wasmote.core.gc.objects",
    "wasmote.core.gc.exceptions",
    "wasmote.core.tags",
    "wasmote.core.memory",
    "wasmote.core.app_heap",
    "wasmote.core.table",
    "wasmote.core.function",
    "wasmote.core.fuel",
    "wasmote.core.instantiate",
    "wasmote.interp.common.outside",
    "wasmote.interp.setup",
    "wasmote.interp.classic.entry",
    "wasmote.interp.fast.entry",
    "wasmote.interp.fast.loops",
    "wasmote.interp.fast.tier",
    "wasmote.aot.run",
    "wasmote.aot.loops",
    "wasmote.aot.tier",
)
#: libc-builtin, which a small machine may leave out.
LIBC_MODULES = (
    "wasmote.libc.native.memory",
    "wasmote.libc.native.strings",
    "wasmote.libc.native.numbers",
    "wasmote.libc.native.allocation",
    "wasmote.libc.native.printing",
    "wasmote.libc.native.synchronization",
)
HOST_MODULES = (
    "wasmote.host.linux",
    "wasmote.host.faults",
    "wasmote.host.c_functions",
    "wasmote.host.c_runtime",
    "wasmote.host.wasi_calls",
    "wasmote.host.ticks",
    "wasmote.host.cpython.activation",
    "wasmote.host.cpython.call",
    "wasmote.host.cpython.call_stack",
    "wasmote.host.cpython.profile",
    "wasmote.host.cpython.convert",
    "wasmote.host.cpython.objects",
    "wasmote.host.cpython.references",
)


def exported_functions(hosted: bool = True, libc: bool = True) -> list["NativeFunction"]:
    """Every exported native function of the core, its C library, and its binding to the host."""
    import importlib

    from wasmote.nativepy import NativeFunction

    found: dict[str, NativeFunction] = {}
    for name in (*MODULES, *(LIBC_MODULES if libc else ()), *(HOST_MODULES if hosted else ())):
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, NativeFunction) and value.export:
                found[value.export] = value
    return list(found.values())


def build(target: Target) -> bytes:
    """Compile the core for a target; the image file's bytes. Needs the extra `build`."""
    try:
        from wasmote.image.build import build_image

        return build_image(exported_functions(), target).encode()
    except ModuleNotFoundError as error:
        raise ImportError(
            f"compiling the virtual machine needs the package {error.name}: "
            "pip install 'wasmote[build]'"
        ) from error


def packaged(target: Target) -> str:
    """Where a wheel has the image of a target."""
    return os.path.join(HERE, "images", f"{target.name}.img")


def _source_files() -> Iterator[str]:
    for folder in SOURCES:
        for path, folders, files in os.walk(os.path.join(PACKAGE, folder)):
            folders.sort()
            yield from (os.path.join(path, name) for name in sorted(files) if name.endswith(".py"))


def source_hash(target: Target) -> str:
    """Names the image that the present sources give."""
    import hashlib

    digest = hashlib.sha256(f"{target}\n".encode())
    for path in _source_files():
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:24]


def cache_folder() -> str:
    """The user's cache, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "wasmote")


def _build_into_cache(path: str, target: Target) -> str:
    import tempfile

    if sys.stderr.isatty():
        print("wasmote: compiling the virtual machine, once after each change …", file=sys.stderr)
    raw = build(target)
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:  # no cache: an image for this process only
        folder = tempfile.gettempdir()
        path = os.path.join(folder, f"wasmote-{os.getpid()}.img")
    handle, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
    os.replace(temporary, path)  # another process that builds the same loses nothing
    return path


def remove_old() -> int:
    """Remove images of former sources from the cache; returns how many bytes that frees."""
    present = f"core-{host_target().name}-{source_hash(host_target())}.img"
    freed = 0
    try:
        names = os.listdir(cache_folder())
    except OSError:
        return 0
    for name in names:
        if name.startswith("core-") and name.endswith(".img") and name != present:
            path = os.path.join(cache_folder(), name)
            try:
                size = os.path.getsize(path)
                os.unlink(path)
                freed += size
            except OSError:  # somebody else's, or removed already
                pass
    return freed


def find() -> str:
    """The path of this machine's image, built if need be."""
    target = host_target()
    path = packaged(target)
    if os.path.exists(path):
        return path
    path = os.path.join(cache_folder(), f"core-{target.name}-{source_hash(target)}.img")
    return path if os.path.exists(path) else _build_into_cache(path, target)


def load() -> LoadedImage:
    """Map this machine's image."""
    return LoadedImage(find())


def build_packaged(folder: str) -> list[str]:
    """Build the images that a wheel carries into a folder; returns their paths."""
    paths = []
    for target in TARGETS.values():
        if target.hosted:
            paths.append(os.path.join(folder, f"{target.name}.img"))
            with open(paths[-1], "wb") as file:
                file.write(build(target))
    return paths
