"""Links the parts of a module one by one, for a process that runs it meanwhile.

The process has address space for all of them, the *room*. It begins with data that changes when
parts come:

- for each of the module's own functions the offset of its code and its size, as in an image;
- for each its address;
- the list of loops that code can be entered at (`aot.loops`).

Code follows. First that of the module's glue, with a *stub* for each function, which jumps to the
function's address. Until there is code, that is where it calls the interpreter through what the
glue has for calls that leave the module (`aot.helpers.aot_call`). Then come the parts, as they are
compiled. They refer to functions that are not there yet by their stubs, so no code ever changes.

For x86-64; other machines run a module when all of it is compiled.
"""

import struct
from collections.abc import Sequence
from typing import Any

from wasmote.compile.compiler import counting_bits, facts, places
from wasmote.compile.frame import Offsets
from wasmote.compile.loops import ENTER_LOOP, loops_in
from wasmote.compile.machines import machine_of
from wasmote.compile.partition import Partition, Plan
from wasmote.core.structs import Exec
from wasmote.image.build import with_library
from wasmote.image.elf import X86_64, Object
from wasmote.image.join import join

#: Pages have at most so many bytes, so what is written and what is executed share none.
_PAGE = 16384
#: Loops that the list has room for.
_MOST_LOOPS = 1024
#: Bytes of a stub. It begins with the call of the interpreter: of the function whose index times
#: two, plus one, is in the place of an address.
STUB = 24
_CALL_INTERPRETER = 17
#: Bytes of room for each byte of the module's code, and beyond that; what references reach.
_ROOM, _MORE_ROOM, _MOST_ROOM = 16, 16 << 20, 1 << 30


def can_come_in_parts(plan: Plan) -> bool:
    """Whether a module is large enough, and there are stubs for its machine.

    Not if it has tail calls: those that lead from compiled code to the interpreter, and back, take
    room on the stack.
    """
    tail = any(calls.tail for calls in plan.calls.values())
    return not plan.whole and not tail and plan.options.target.machine == X86_64


class Room:
    """Where the parts of a module are in a process. Each method's result is a message for it.

    If not `direct`, functions of other parts are called by their stubs even if they are there.
    """

    def __init__(self, plan: Plan, direct: bool = True) -> None:
        self.direct = direct
        self.plan, self.source = plan, plan.source
        self.count = len(plan.source.bodies)
        self.addresses = 8 * self.count
        self.loops = 16 * self.count
        self.loop_count = 0
        self.end = _page(self.loops + 16 * (_MOST_LOOPS + 1))
        code = sum(body.end - body.start for body in plan.source.bodies)
        self.size = _page(min(_ROOM * code + STUB * self.count + _MORE_ROOM, _MOST_ROOM))
        self.known: dict[str, int] = {}

    def begin(self, glue: bytes) -> tuple[dict[str, Any], bytes]:
        """Link the glue: where everything is, and the first code."""
        stubs = self.end
        for number, body in enumerate(self.source.bodies):
            self.known[f"f{body.index}"] = stubs + STUB * number + _CALL_INTERPRETER
        start = _aligned(stubs + STUB * self.count)
        objects = with_library([Object(glue)], self.plan.options.target)
        joined = self._join(objects, start)
        symbols = {name: start + at for name, at in joined.exported.items()}
        entries = [symbols.get(f"entry.{type.key}", 0) for type in self.source.types]
        layout = {
            "size": self.size,
            "stubs": stubs,
            "addresses": self.addresses,
            "loops": self.loops,
            "enter_loop": symbols[ENTER_LOOP],
            "entries": start + joined.append(struct.pack(f"<{len(entries) + 1}I", *entries, 0)),
            "counting": start + joined.append(counting_bits(self.plan)),
            "enter": symbols["wasmote.enter"],
            "entered": symbols["wasmote.entered"],
            "trap": symbols["wasmote.trap"],
            "facts": facts(self.source, self.plan.options).decode(),
        }
        self.known = {**symbols, **self.known}
        code = self._stubs(stubs, symbols).ljust(start - stubs, b"\0") + joined.code
        self.end = _page(start + len(joined.code))
        part = {"start": stubs, "code": len(code), "functions": [], "loops": [], "layout": layout}
        return {"part": part}, bytes(code)

    def add(self, partition: Partition, raw: bytes | None) -> tuple[dict[str, Any], bytes]:
        """Link a part: its code, and what the table of places has of it. Of a part that there is no
        room for, or that cannot be compiled, nothing comes.
        """
        nothing = {"part": {"wished": len(partition.loops)}}, b""
        if raw is None:
            return nothing
        start, target = self.end, self.plan.options.target
        objects = with_library([Object(raw)], target)
        joined = self._join(objects, start)
        if start + len(joined.code) > self.size:
            return nothing
        symbols = {name: (start + at, size) for name, (at, size) in joined.symbols.items()}
        first = self.source.imported_functions
        functions: list[tuple[int, int, int]] = []
        for body in partition.bodies:
            address, size = symbols[f"f{body.index}"]
            functions.append((body.index - first, address, size))
            if self.direct:
                self.known[f"f{body.index}"] = address
        loops = loops_in(symbols)[: _MOST_LOOPS - self.loop_count]
        self.loop_count += len(loops)
        self.end = _page(start + len(joined.code))
        table = b""
        if self.plan.options.debug:
            found = [{i: start + at for i, at in each.items()} for each in joined.addresses]
            table = places(self.source, objects, found, target)
        part = {
            "start": start,
            "code": len(joined.code),
            "functions": functions,
            "loops": loops,
            "wished": len(partition.loops),
        }
        return {"part": part}, bytes(joined.code) + table

    def _join(self, objects: Sequence[Object], start: int) -> Any:
        machine = machine_of(self.plan.options.target)
        known = {name: at - start for name, at in self.known.items()}
        return join(objects, self.plan.options.target, machine.assembled(), known)

    def _stubs(self, start: int, symbols: dict[str, int]) -> bytearray:
        """For each function: mov $index, %eax; mov %rax, successor(%rdi); jmp outside.<type>;
        and the stub itself: jmp *address(%rip).
        """
        offsets = Offsets(self.source, 8)
        successor = offsets.field(Exec, "successor")
        code = bytearray()
        for number, body in enumerate(self.source.bodies):
            outside = symbols[f"outside.{self.source.types[body.type].key}"]
            here = start + STUB * number
            address = self.addresses + 8 * number
            code += struct.pack(
                "<BI3sIBi2six",
                0xB8,
                2 * body.index + 1,
                b"\x48\x89\x87",
                successor,
                0xE9,
                outside - (here + _CALL_INTERPRETER),
                b"\xff\x25",
                address - (here + STUB - 1),
            )
        return code


def _aligned(size: int) -> int:
    return size + -size % 64


def _page(size: int) -> int:
    return size + -size % _PAGE
