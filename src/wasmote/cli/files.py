"""Opening modules, and clear words for what is no module; writing files."""

import os

from wasmote import Module
from wasmote.cli.report import CANNOT_RUN, NOT_FOUND, CommandError, LoadError
from wasmote.errors import WasmoteError
from wasmote.isa.features import FEATURES


def open_module(
    path: str,
    features: frozenset[str] = FEATURES,
    require_signature: str | None = None,
    compiled: bool = False,
) -> Module:
    """Load and validate the module in a file; text (`.wat`) is assembled.

    With `require_signature`, a file of public keys, it must be signed. `compiled`: it is taken from
    the cache of compiled modules if it is there. Raises LoadError.
    """
    try:
        if path.endswith(".wat") and require_signature is None:
            name = os.path.splitext(os.path.basename(path))[0]
            return Module(_assemble(path), name=name, features=features)
        if compiled and require_signature is None:
            from wasmote.jit import opening

            return opening.open_module(path, features)
        return Module(path, features=features, require_signature=require_signature)
    except WasmoteError as error:  # of the module, the text or its assembler
        raise LoadError(f"{path}: {error}", f"WASM module load failed: {error}") from None
    except OSError as error:
        if require_signature is not None and error.filename == require_signature:
            raise unreadable(require_signature, error) from None
        raise unreadable(path, error) from None
    except ImportError as error:
        raise LoadError(str(error), str(error)) from None
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


def write_file(path: str, data: bytes, mode: int = 0o666) -> None:
    """All of the file, or nothing, if the disk is full or the process ends. Raises CommandError."""
    import contextlib
    import tempfile

    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".wasmote-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, mode & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if not isinstance(error, OSError):
            raise
        message = f"cannot write {path}: {error.strerror}"
        raise CommandError(message, CANNOT_RUN, message) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
