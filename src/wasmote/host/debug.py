"""Shows gdb the Python source lines of the virtual machine in a running process.

    python -m wasmote.host.debug PID > core.gdb      then, in gdb:  source core.gdb

An image holds no debug information. This compiles the core once more into an ELF object, which has
it, checks that the code is the same, and tells gdb where in the process that code is.
"""

import os
import shlex
import sys

from wasmote.host import core_image
from wasmote.nativepy.targets import host_target


def mapped_image(pid: int | None = None) -> tuple[str, int]:
    """The file of the core in a process (by default this one), and where it is in its memory.

    Raises `LookupError` if the process has not loaded it, `OSError` if its map cannot be read.
    """
    name = host_target().name
    with open(f"/proc/{pid or 'self'}/maps") as maps:
        for line in maps:
            path = line.rstrip("\n").partition("/")[2]
            file = os.path.basename(path)
            if file == f"{name}.img" or (
                file.startswith(f"core-{name}-") and file.endswith(".img")
            ):
                return f"/{path}", int(line.partition("-")[0], 16)
    raise LookupError(f"process {pid or os.getpid()} has not loaded Wasmote's virtual machine")


def compile_object(image: str) -> tuple[str, dict[str, int]]:
    """The core's ELF object, kept in the user's cache: its path, and where its sections are from
    where the image is mapped.

    Raises `ValueError` if the image's code comes from other sources or another compiler.
    """
    from wasmote.image.build import build_object, with_library
    from wasmote.image.elf import Object
    from wasmote.image.format import parse
    from wasmote.image.join import join
    from wasmote.image.loader import before

    target = host_target()
    folder = core_image.cache_folder()
    path = os.path.join(folder, f"core-{target.name}-{core_image.source_hash(target)}.o")
    if not os.path.exists(path):
        raw = build_object(core_image.exported_functions(), target)
        os.makedirs(folder, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(raw)
        os.replace(f"{path}.{os.getpid()}", path)
    with open(path, "rb") as file:
        raw = file.read()
    with open(image, "rb") as file:
        loaded = file.read()
    front = parse(loaded)
    code = loaded[front.code_offset : front.code_offset + front.code_size]
    elf = Object(raw)
    joined = join(with_library([elf], target), target)
    if bytes(joined.code) != code:
        raise ValueError(f"{image} was built from other sources or by another compiler")
    lead = before(front.code_offset)
    return path, {elf.sections[i].name: lead + at for i, at in joined.addresses[0].items()}


def gdb_commands(pid: int | None = None) -> str:
    """What gdb has to be told about a process; raises what the functions above raise."""
    image, address = mapped_image(pid)
    path, sections = compile_object(image)
    places = " ".join(f"-s {name} {address + at:#x}" for name, at in sections.items())
    source = os.path.dirname(core_image.PACKAGE)
    return f"directory {shlex.quote(source)}\nadd-symbol-file {shlex.quote(path)} {places}\n"


def main() -> int:
    """Print the commands for the process whose number is the argument."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        print("usage: python -m wasmote.host.debug PID > core.gdb", file=sys.stderr)
        return 2
    try:
        print(gdb_commands(int(sys.argv[1])), end="")
    except (ImportError, LookupError, OSError, ValueError) as error:
        print(f"wasmote.host.debug: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
