"""Shows gdb the compiled modules of a process that was started without `--enable-gdb`.

    python -m wasmote.debug PID > modules.gdb      then, in gdb:  source modules.gdb

Writes an object file with names and lines for each image that the process has mapped, and prints
what gdb has to be told.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator

from wasmote.api.module import Module
from wasmote.debug.gdb import object_file
from wasmote.errors import WasmoteError
from wasmote.image.format import HEADER, MAGIC
from wasmote.image.loader import before


def mapped_images(pid: int) -> Iterator[tuple[str, str, int]]:
    """The images whose code a process has mapped: a file to read each from, its name, and where the
    code is. Raises OSError.
    """
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
                # Also for a file that has no name any more.
                file = f"/proc/{pid}/map_files/{fields[0]}"
                path = file if os.access(file, os.R_OK) else fields[5]
                start = _code_offset(path)
                if start is not None:
                    mapped = int(fields[0].partition("-")[0], 16)
                    yield path, fields[5], mapped + before(start)


def _code_offset(path: str) -> int | None:
    """Where the code of an image is in its file; None for another file."""
    try:
        with open(path, "rb") as file:
            front = file.read(HEADER.size)
    except OSError:
        return None
    is_image = len(front) == HEADER.size and front.startswith(MAGIC)
    return int(HEADER.unpack(front)[5]) if is_image else None


def gdb_commands(pid: int, folder: str) -> str:
    """What gdb has to be told; the object files go to the folder. Raises OSError."""
    commands = ""
    for number, (file, path, address) in enumerate(mapped_images(pid)):
        name = os.path.splitext(os.path.basename(path.removesuffix(" (deleted)")))[0]
        try:
            made = object_file(Module(file, name=name), address)
        except (WasmoteError, ValueError):
            continue  # the virtual machine itself, or one of another version
        target = os.path.join(folder, f"{name}-{number}.elf")
        with open(target, "wb") as output:
            output.write(made)
        commands += f"add-symbol-file {shlex.quote(target)} {address:#x}\n"
    return commands


def main() -> int:
    """Print the commands for the process whose number is the argument."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        print("usage: python -m wasmote.debug PID > modules.gdb", file=sys.stderr)
        return 2
    try:
        commands = gdb_commands(int(sys.argv[1]), tempfile.mkdtemp(prefix="wasmote-gdb-"))
    except OSError as error:
        print(f"wasmote.debug: {error}", file=sys.stderr)
        return 1
    if not commands:
        print(f"wasmote.debug: process {sys.argv[1]} has no compiled module", file=sys.stderr)
        return 1
    print(commands, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
