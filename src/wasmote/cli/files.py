"""Opening modules, and clear words for what is no module."""

import os

from wasmote import Module
from wasmote.cli.report import NOT_FOUND, LoadError
from wasmote.errors import WasmoteError
from wasmote.isa.features import FEATURES


def open_module(path: str, features: frozenset[str] = FEATURES) -> Module:
    """Load and validate the module in a file; text (`.wat`) is assembled. Raises LoadError."""
    try:
        if path.endswith(".wat"):
            name = os.path.splitext(os.path.basename(path))[0]
            return Module(_assemble(path), name=name, features=features)
        return Module(path, features=features)
    except WasmoteError as error:  # of the module, the text or its assembler
        raise LoadError(f"{path}: {error}", f"WASM module load failed: {error}") from None
    except OSError as error:
        raise unreadable(path, error) from None
    except MemoryError as error:
        raise LoadError(f"{path}: out of memory: {error}", "allocate memory failed") from None


def read_binary(path: str) -> bytes:
    """The binary in a file, not checked; text (`.wat`) is assembled.

    Raises LoadError for a file that cannot be read, WasmoteError for text that cannot be assembled.
    """
    try:
        if path.endswith(".wat"):
            return _assemble(path)
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise unreadable(path, error) from None


def _assemble(path: str) -> bytes:
    from wasmote.wat import wat2wasm

    with open(path, "rb") as file:
        return wat2wasm(file.read())


def unreadable(path: str, error: OSError) -> LoadError:
    """What to say of a file that cannot be read."""
    iwasm = f"Read file to buffer failed: open file {path} failed."
    if isinstance(error, FileNotFoundError):
        return LoadError(f"{path}: no such file{_similar(path)}", iwasm, NOT_FOUND)
    if isinstance(error, IsADirectoryError):
        return LoadError(f"{path} is a directory{_modules(path)}", iwasm)
    return LoadError(f"{path}: {error.strerror}", iwasm)


def _similar(path: str) -> str:
    from wasmote.cli.options import closest

    folder = os.path.dirname(path)
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return f": there is no directory {folder}"
    return closest(path, (os.path.join(folder, each) for each in names), "")


def _modules(path: str) -> str:
    from wasmote.cli.options import shortened

    try:
        names = sorted(name for name in os.listdir(path) if name.endswith((".wasm", ".wat")))
    except OSError:
        names = []
    return f"; the modules in it: {shortened(names)}" if names else " without modules"
