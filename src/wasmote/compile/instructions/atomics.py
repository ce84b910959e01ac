"""Atomic instructions: all of LLVM's that are sequentially consistent, behind checked addresses."""

from wasmote.compile.function import Function
from wasmote.compile.instructions.registry import Handler, handles
from wasmote.isa import Instruction, by_name


def checked(f: Function, access: int) -> tuple[str, str, int]:
    """Pop an address: a pointer to what it refers to, aligned and within bounds, then the address
    with the offset added, as an i64, and the memory.
    """
    memory, offset = f.memarg()
    f.touched.add(memory)
    kind, address = f.kinds[-1], f.pop()
    shown = offset - (1 << 64) if offset >> 63 else offset
    name = f"rt.atomic{'64' if kind == 'i64' else '32'}"
    f.needs.add(name)
    f.unit.declare("declare { i64, i1 } @llvm.uadd.with.overflow.i64(i64, i64)")
    at = f.value(
        f"call ptr @{name}(ptr %exec, ptr %ctx, ptr %memory{memory}, ptr %mem{memory},"
        f" {kind} {address}, i64 {shown}, i64 {access})"
    )
    return at, f.value(f"add i64 {f.wide(address, kind)}, {shown}"), memory


def access(i: Instruction) -> Handler:
    """Loads, stores, and what does both at once."""
    opcode, bytes_, count = i.opcode, i.access, len(i.params or ())

    def handler(f: Function) -> None:
        operands = f.pop_many(count - 1)
        at, _, _ = checked(f, bytes_)
        template = f.unit.template(opcode)
        f.count = n = f.count + 1
        f.lines.append(template.lines(n, at, *operands))
        if template.value is not None:
            f.push(template.type, template.value(n, at, *operands))

    return handler


@handles(by_name("memory.atomic.notify").opcode)
def notify(f: Function) -> None:
    count = f.pop()
    _, address, memory = checked(f, 4)
    f.needs.add("rt.notify")
    given = f"ptr %exec, ptr %ctx, ptr %memory{memory}, i64 {address}, i32 {count}"
    f.push("i32", f.value(f"call i32 @rt.notify({given})"))


def wait(bits: int) -> Handler:
    def handler(f: Function) -> None:
        kind = f.kinds[-2]
        expected, timeout = f.pop_many(2)
        expected = f.wide(expected, kind)
        _, address, memory = checked(f, bits // 8)
        f.needs.add("rt.wait")
        f.calls = True
        f.roots.show()  # other threads may collect garbage meanwhile
        given = (
            f"ptr %exec, ptr %ctx, ptr %memory{memory}, i64 {address}, i64 {expected}, i32 {bits},"
            f" i64 {timeout}"
        )
        f.push("i32", f.value(f"call i32 @rt.wait({given})"))

    return handler


for _bits in (32, 64):
    handles(by_name(f"memory.atomic.wait{_bits}").opcode)(wait(_bits))


@handles(by_name("atomic.fence").opcode)
def fence(f: Function) -> None:
    f.pos += 1
    f.emit("fence seq_cst")
