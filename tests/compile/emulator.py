"""Runs compiled modules of other machines under QEMU's user-mode emulation, without an operating
system's help: the core and `board` become an executable, and what it worked out is read from its
memory through QEMU's debugger interface.
"""

import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.compile import board
from wasmote.image.build import build_image
from wasmote.image.format import Image
from wasmote.nativepy import llc
from wasmote.nativepy.targets import TARGETS, Target
from wasmote.nativepy.types import Struct

TEXT, MODULE, NATIVE = 0x1000_0000, 0x1800_0000, 0x2800_0000


@dataclass(frozen=True)
class Emulator:
    """How a target's executables are run: QEMU's command, ELF's flags, and the debugger's numbers
    of the stack pointer and of registers that have to hold the start address.
    """

    command: tuple[str, ...]
    flags: int
    stack: int | None
    start: tuple[int, ...] = ()


EMULATORS = {
    "i386-linux": Emulator(("qemu-i386",), 0, 4),
    "aarch64-linux": Emulator(("qemu-aarch64",), 0, 31),
    "armv7": Emulator(("qemu-arm", "-cpu", "max"), 0x0500_0000, 13),
    "thumbv6m": Emulator(("qemu-arm", "-cpu", "max"), 0x0500_0000, 13),
    "thumbv7em": Emulator(("qemu-arm", "-cpu", "max"), 0x0500_0000, 13),
    "riscv32": Emulator(("qemu-riscv32",), 5, 2),
    "riscv64-linux": Emulator(("qemu-riscv64",), 5, 2),
    "mips-linux": Emulator(("qemu-mips",), 0x7000_1006, 29, (25,)),
    "xtensa": Emulator(("qemu-xtensa",), 0x300, None),
    "mipsel-linux": Emulator(("qemu-mipsel",), 0x7000_1006, 29, (25,)),
}
#: The core that runs modules of a machine, by its name on the command line.
CORES = {
    "i386": "i386-linux", "aarch64": "aarch64-linux", "armv7": "armv7", "thumbv6m": "thumbv6m",
    "thumbv7em": "thumbv7em", "riscv32": "riscv32", "riscv64": "riscv64-linux",
    "mips": "mips-linux", "mipsel": "mipsel-linux", "xtensa": "xtensa",
}  # fmt: skip


def needs(name: str) -> Emulator:
    """The emulator of a machine; skips the test where it is not installed."""
    emulator = EMULATORS[CORES[name]]
    if shutil.which(emulator.command[0]) is None:
        pytest.skip(f"needs {emulator.command[0]} (Debian: apt install qemu-user)")
    if TARGETS[CORES[name]].external and not llc.is_installed():
        pytest.skip(f"needs llc {llc.VERSION} (Debian: apt install llvm-{llc.VERSION})")
    return emulator


@cache
def board_image(name: str) -> Image:
    """The core and the program, for a machine."""
    return build_image((board.board_start, board.finished), TARGETS[CORES[name]], 1, base=TEXT)


class Memory:
    """Native structures as bytes in a target's layout and byte order."""

    def __init__(self, target: Target) -> None:
        self.pointer = target.pointer
        self.order = ">" if target.big_endian else "<"

    def word(self, value: int) -> bytes:
        return struct.pack(self.order + ("Q" if self.pointer == 8 else "I"), value)

    def structure(self, kind: Struct, **values: Any) -> bytes:
        raw = bytearray(kind.size(self.pointer))
        for name, value in values.items():
            size = kind.fields[name].size(self.pointer)
            data = value if isinstance(value, bytes) else value.to_bytes(
                size, "little" if self.order == "<" else "big"
            )  # fmt: skip
            at = kind.offset(name, self.pointer)
            raw[at : at + size] = data
        return bytes(raw)

    def number(self, raw: bytes, kind: Struct, name: str) -> int:
        at, size = kind.offset(name, self.pointer), kind.fields[name].size(self.pointer)
        return int.from_bytes(raw[at : at + size], "little" if self.order == "<" else "big")


@dataclass
class Outcome:
    """Of one call: a trap code (0: none), the cells of the results, frames of the backtrace."""

    code: int
    cells: list[int]
    frames: int


def run(name: str, image: Image, calls: Sequence[tuple[int, Sequence[int]]]) -> list[Outcome]:
    """Call a module's functions by index, with arguments as cells; the outcome of each."""
    emulator, target = needs(name), TARGETS[CORES[name]]
    memory = Memory(target)
    core = board_image(name)
    module = image.sections["module"]
    call: Any = board.Call
    table: Any = board.Board
    size = call.size(target.pointer)
    first = 4096
    layout: Any = board.CodeLayout
    code_layout = memory.structure(
        layout, code=MODULE, guarded=0, objects=int(b"\nobjects=1" in image.sections["compiled"]),
        **{n: image.symbols[n] for n in ("enter", "entered", "functions", "entries")},
    )  # fmt: skip
    after = first + size * len(calls)
    front = memory.structure(
        table, free=board.HEAP, heap_end=board.HEAP + board.HEAP_SIZE, module=board.BOARD + after,
        module_size=len(module), count=len(calls), calls=board.BOARD + first, layout=code_layout,
        features=(1 << 64) - 1, status=99, stack_bottom=NATIVE,
    )  # fmt: skip
    given = b"".join(
        memory.structure(
            call, function=index,
            cells=struct.pack(f"{memory.order}{board.CELLS}I", *arguments,
                              *[0] * (board.CELLS - len(arguments))),
        )
        for index, arguments in calls
    )  # fmt: skip
    data = front.ljust(first, b"\0") + given + module
    stack = NATIVE + 2 * board.NATIVE_STACK
    segments = [
        (TEXT, core.code, len(core.code), 5),
        (MODULE, image.code, len(image.code), 5),
        (board.BOARD, data, len(data), 6),
        (NATIVE, b"", 2 * board.NATIVE_STACK + 4096, 6),
        (board.HEAP, b"", board.HEAP_SIZE, 6),
    ]
    entry = TEXT + core.symbols["board_start"]
    registers = {}
    if emulator.stack is not None:
        registers[emulator.stack] = stack - (4 if name == "i386" else 0)
    registers |= dict.fromkeys(emulator.start, entry)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program"
        path.write_bytes(executable(target, emulator.flags, entry, segments))
        path.chmod(0o755)
        with Debugger([*emulator.command], path, memory) as debugger:
            if registers:
                debugger.set_registers(registers)
            debugger.run_to((TEXT + core.symbols["board_finished"]) & ~1)
            raw = debugger.read(board.BOARD, after)
    status = memory.number(raw, table, "status")
    detail = memory.number(raw, table, "detail")
    assert status == 0, f"step {status} of the board's program failed: {detail:#x}"
    found = []
    for i in range(len(calls)):
        one = raw[first + i * size : first + (i + 1) * size]
        at = call.offset("cells", target.pointer)
        cells = list(struct.unpack_from(f"{memory.order}{board.CELLS}I", one, at))
        code, frames = (memory.number(one, call, each) for each in ("code", "frames"))
        found.append(Outcome(code, cells, frames))
    return found


def executable(
    target: Target, flags: int, entry: int, segments: Sequence[tuple[int, bytes, int, int]]
) -> bytes:
    """A static ELF executable. A segment is its address, contents, size in memory and rights."""
    wide, order = target.pointer == 8, ">" if target.big_endian else "<"
    header, entry_size = (64, 56) if wide else (52, 32)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if target.big_endian else 1, 1]) + bytes(9)
    word = "Q" if wide else "I"
    front = ident + struct.pack(
        f"{order}HHI{word * 3}IHHHHHH", 2, target.machine, 1, entry, header, 0, flags, header,
        entry_size, len(segments), 0, 0, 0,
    )  # fmt: skip
    place, body = 4096, b""
    for address, contents, size, rights in segments:
        numbers = (place + len(body), address, address, len(contents), size)
        if wide:
            front += struct.pack(f"{order}II6Q", 1, rights, *numbers, 4096)
        else:
            front += struct.pack(f"{order}I5III", 1, *numbers, rights, 4096)
        body += contents + bytes(-len(contents) % 4096)
    return front.ljust(place, b"\0") + body


class Debugger:
    """A program under QEMU that waits for its debugger."""

    def __init__(self, command: list[str], path: Path, memory: Memory) -> None:
        self.memory, self.place = memory, str(path.parent / "socket")
        self.process = subprocess.Popen(
            [*command, "-g", self.place, str(path)], stdin=subprocess.DEVNULL
        )

    def __enter__(self) -> "Debugger":
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(300)
        until = time.monotonic() + 60
        while True:
            try:
                self.socket.connect(self.place)
                break
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    self.process.kill()
                    raise
                time.sleep(0.02)
        self.input = self.socket.makefile("rb")
        return self

    def __exit__(self, *details: object) -> None:
        self.process.kill()
        self.process.wait()
        self.input.close()
        self.socket.close()

    def ask(self, text: str) -> str:
        """Send a packet; the answer."""
        self.socket.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255))
        answer = b""
        while (byte := self.input.read(1)) != b"$":
            assert byte, f"the emulator ended upon {text}"
        while (byte := self.input.read(1)) != b"#":
            answer += byte
        self.input.read(2)
        self.socket.sendall(b"+")
        return answer.decode()

    def set_registers(self, values: dict[int, int]) -> None:
        """Set those of the first registers, which have the size of an address."""
        raw = bytearray.fromhex(self.ask("g"))
        for number, value in values.items():
            word = self.memory.word(value)
            raw[number * len(word) : (number + 1) * len(word)] = word
        assert self.ask(f"G{raw.hex()}") == "OK"

    def run_to(self, address: int) -> None:
        assert self.ask(f"Z0,{address:x},2") == "OK"
        stopped = self.ask("c")
        assert stopped.startswith("T05"), f"the program ended with {stopped}: {self.ask('g')}"

    def read(self, address: int, size: int) -> bytes:
        parts = []
        for start in range(address, address + size, 1024):
            parts.append(
                bytes.fromhex(self.ask(f"m{start:x},{min(1024, address + size - start):x}"))
            )
        return b"".join(parts)
