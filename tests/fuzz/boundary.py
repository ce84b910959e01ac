"""Makes a module's boundary plain, so that both sides of a comparison can feed and show it.

The package `wasmtime` knows numbers, funcref and externref. So functions are exported through ones
that take and return those, with the state of everything else as a number (`observer`), and what a
module imports comes from another module, made here, of the very types that are asked for.
"""

from tests.fuzz.binary import name, signed, unsigned, vector
from tests.fuzz.layout import FUNCTION, GLOBAL, MEMORY, TABLE, TAG, Import, Layout, Limits, layout
from tests.fuzz.mutate import bodies, join_sections
from tests.fuzz.observe import FIRST, OUT_OF_SIGHT, REFILLS
from tests.fuzz.observer import (
    ANYREF,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    NUMBERS,
    V128,
    Observer,
    fold,
    heap_type,
    is_nullable,
    loop,
    type_index,
)
from tests.fuzz.reduce import split

_ORDER = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
_SEEN_ELEMENTS = 32
_START = 8
_ATOMIC_WAITS = (b"\xfe\x01", b"\xfe\x02")
_NUMBERS = {I32: b"\x41\x2a", I64: b"\x42\x2b", F32: b"\x43\0\0\xc0\x3f", F64: b"\x44" + bytes(6)}
_NUMBERS[F64] += b"\xf8\x3f"
#: Of the any hierarchy: any, eq, i31.
_TAKES_I31 = (b"\x6e", b"\x6d", b"\x6c")


def shown(binary: bytes) -> bytes:
    """A valid module whose imports are plain with its exports made plain."""
    return _observed(layout(binary), None, provided=False)


def plain(binary: bytes, fuel: int | None = None) -> tuple[bytes, ...] | None:
    """A module that behaves like the given one and is plain outside, and before it the one that it
    imports from; None where something cannot be provided. `fuel` is what the last global starts
    with if it counts down.
    """
    try:
        found = layout(binary)
        if _waits(found):
            return None
        observed = _observed(found, fuel)
        if not found.imports:
            return (observed,)
        provider = _provider(found)
    except (AssertionError, IndexError, KeyError, ValueError):  # not valid
        return None
    return None if provider is None else (provider, observed)


def _waits(found: Layout) -> bool:
    """Whether some function may wait for another thread, which there is not."""
    code = found.part(10)
    if not any(wait in code for wait in _ATOMIC_WAITS):
        return False
    instructions = (i for body in bodies(code) for i in split(body)[1])
    return any(i.startswith(_ATOMIC_WAITS) for i in instructions)


# -- the module ------------------------------------------------------------------------------------


def _observed(found: Layout, fuel: int | None, *, provided: bool = True) -> bytes:
    observer = Observer(found, len(found.functions))
    exports: list[tuple[str, int, int]] = []
    for i, (text, kind, index) in enumerate(found.exports):
        if kind == FUNCTION:
            wrapper = _wrapper(found, observer, index)
            if wrapper is not None:
                title = text.decode() if text.decode() in REFILLS else f"f-{i}"
                exports.append((title, FUNCTION, wrapper))
        elif kind == MEMORY:
            exports.append((f"memory-{i}", kind, index))
        elif kind == GLOBAL and found.globals[index][0] in NUMBERS:
            exports.append((f"global-{i}", kind, index))
    state = observer.function([], [I64], [I64, I32], _state(found, observer))
    exports.append(("state", FUNCTION, state))
    if fuel is not None:
        code = b"\x41" + signed(fuel) + b"\x24" + unsigned(len(found.globals) - 1)
        exports.append((REFILLS[0], FUNCTION, observer.function([], [], [], code)))
    own = found.functions[sum(each.kind == FUNCTION for each in found.imports) :]
    code = [unsigned(len(b)) + b for b in bodies(found.part(10))] + observer.bodies()
    return _assemble(
        dict(found.parts)
        | {
            1: _types(found, observer),
            2: _renamed_imports(found) if provided else found.part(2),
            3: vector(map(unsigned, [*own, *(t for t, _ in observer.functions)])),
            7: vector(name(n) + bytes([k]) + unsigned(i) for n, k, i in exports),
            10: vector(code),
        }
    )


def _types(found: Layout, observer: Observer) -> bytes:
    groups = found.part(1)[len(unsigned_prefix(found.part(1))) :]
    return unsigned(found.groups + len(observer.types)) + groups + b"".join(observer.types)


def unsigned_prefix(data: bytes) -> bytes:
    """The LEB128 number that data starts with, as it is encoded."""
    return data[: next(i for i, byte in enumerate(data) if byte < 0x80) + 1]


def _assemble(parts: dict[int, bytes]) -> bytes:
    full = (i for i in _ORDER if i in parts and (parts[i] != b"\0" or i == _START))
    return join_sections([(i, parts[i]) for i in full])


def _wrapper(found: Layout, observer: Observer, index: int) -> int | None:
    """A function that calls the one given with plain arguments and shows its results."""
    defined = found.types[found.functions[index]]
    params: list[bytes] = []
    code = b""
    for kind in defined.params:
        given, take = _argument(found, kind, len(params))
        if take is None:
            return None
        params += given
        code += take
    code += b"\x10" + unsigned(index)
    first = len(params)
    count = len(defined.results)
    code += b"".join(b"\x21" + unsigned(first + i) for i in reversed(range(count)))
    results = []
    for i, kind in enumerate(defined.results):
        code += b"\x20" + unsigned(first + i)
        if kind not in NUMBERS:
            code += observer.as_i64(kind)
        results.append(kind if kind in NUMBERS else I64)
    return observer.function(params, results, defined.results, code)


def _argument(found: Layout, kind: bytes, local: int) -> tuple[list[bytes], bytes | None]:
    """Plain parameters for a value of a type, and the code that makes it from them."""
    get = b"\x20" + unsigned(local)
    if kind in (*NUMBERS, FUNCREF, EXTERNREF):
        return [kind], get
    if kind == V128:
        return [I64], get + b"\xfd\x12"
    if heap_type(kind) in _TAKES_I31:
        return [I32], get + b"\xfb\x1c"
    return [], default(found, kind)


def default(found: Layout, kind: bytes, depth: int = 3) -> bytes | None:
    """A constant expression of a type, null if it can be; None where there is none."""
    if kind in _NUMBERS:
        return _NUMBERS[kind]
    if kind in (b"\x78", b"\x77"):
        return b"\x41\x07"
    if kind == V128:
        return b"\xfd\x0c" + bytes(range(16))
    heap = heap_type(kind)
    if is_nullable(kind):
        return b"\xd0" + heap
    if heap in _TAKES_I31:
        return b"\x41\x05\xfb\x1c"
    if heap == EXTERNREF:
        return b"\x41\x05\xfb\x1c\xfb\x1b"
    index = type_index(heap)
    if index < 0 or not depth or found.types[index].is_function:
        return None
    fields = [default(found, each, depth - 1) for each, _ in found.types[index].fields]
    if None in fields:
        return None
    values = b"".join(each or b"" for each in fields)
    if found.types[index].is_array:
        return values + b"\xfb\x08" + unsigned(index) + b"\x01"
    return values + b"\xfb\0" + unsigned(index)


def _state(found: Layout, observer: Observer) -> bytes:
    """A hash of all globals, sizes, and the first elements of tables."""
    code = b""
    for i, (kind, _) in enumerate(found.globals):
        code += b"\x23" + unsigned(i) + observer.as_i64(kind) + fold(0)
    for i, memory in enumerate(found.memories):
        code += b"\x3f" + unsigned(i) + (b"" if memory.is64 else b"\xad") + fold(0)
    for i, table in enumerate(found.tables):
        size = b"\xfc\x10" + unsigned(i) + (b"\xa7" if table.is64 else b"")
        place = b"\x20\x01" + (b"\xad" if table.is64 else b"")
        element = place + b"\x25" + unsigned(i) + observer.as_i64(table.element, b"\x41\x01")
        code += size + b"\xad" + fold(0) + loop(1, size, _SEEN_ELEMENTS, element + fold(0))
    return code + b"\x20\0"


# -- what it imports -------------------------------------------------------------------------------

_LOGS = ("log-i32", "log-i64", "log-f32", "log-f64")


def _renamed_imports(found: Layout) -> bytes:
    """The imports by numbers, all from the first module."""
    return vector(
        name(FIRST) + name(f"{OUT_OF_SIGHT}{i}") + bytes([each.kind]) + _described(each)
        for i, each in enumerate(found.imports)
    )


def _described(import_: Import) -> bytes:
    kind = import_.type
    if isinstance(kind, int):
        return b"\0" * (import_.kind == TAG) + unsigned(kind)
    if isinstance(kind, Limits):
        return kind.element + kind.encoded
    return kind[0] + bytes([kind[1]])


def _provider(found: Layout) -> bytes | None:
    """A module that exports what another one imports; its functions show what they are given."""
    observer = Observer(found, len(_LOGS))
    logs = [name("host") + name(n) for n in _LOGS]
    for i, kind in enumerate(NUMBERS):
        observer.types.append(b"\x60\x01" + kind + b"\0")
        logs[i] += b"\0" + unsigned(len(found.types) + len(observer.types) - 1)
    made: dict[int, list[bytes]] = {TABLE: [], MEMORY: [], GLOBAL: [], TAG: []}
    exports = []
    for i, each in enumerate(found.imports):
        if each.kind == FUNCTION:
            assert isinstance(each.type, int)
            index = _provided_function(found, observer, each.type)
        else:
            item = _provided(found, each.type, each.kind)
            index = None if item is None else len(made[each.kind])
            made[each.kind].append(item or b"")
        if index is None:
            return None
        exports.append(name(f"{OUT_OF_SIGHT}{i}") + bytes([each.kind]) + unsigned(index))
    return _assemble(
        {
            1: _types(found, observer),
            2: vector(logs),
            3: vector(unsigned(t) for t, _ in observer.functions),
            4: vector(made[TABLE]),
            5: vector(made[MEMORY]),
            13: vector(made[TAG]),
            6: vector(made[GLOBAL]),
            7: vector(exports),
            10: vector(observer.bodies()),
        }
    )


def _provided(found: Layout, kind: object, space: int) -> bytes | None:
    """The definition of a table, memory, global or tag."""
    if isinstance(kind, int):
        return b"\0" + unsigned(kind)
    if isinstance(kind, Limits) and space == MEMORY:
        return kind.encoded
    if isinstance(kind, Limits):
        value = default(found, kind.element)
        encoded = kind.element + kind.encoded
        return None if value is None else b"\x40\0" + encoded + value + b"\x0b"
    assert isinstance(kind, tuple)
    value = default(found, kind[0])
    return None if value is None else kind[0] + bytes([kind[1]]) + value + b"\x0b"


def _provided_function(found: Layout, observer: Observer, type_: int) -> int | None:
    """A function that shows its arguments and returns the same values each time."""
    defined = found.types[type_]
    code = b""
    for i, kind in enumerate(defined.params):
        code += b"\x20" + unsigned(i)
        if kind not in NUMBERS:
            code += observer.as_i64(kind)
        code += b"\x10" + unsigned(NUMBERS.index(kind) if kind in NUMBERS else 1)
    for kind in defined.results:
        value = b"\x41\x09\xfb\x1c" if kind == ANYREF else default(found, kind)
        if value is None:
            code += b"\0"  # unreachable
            break
        code += value
    observer.functions.append((type_, b"\0" + code + b"\x0b"))
    return observer.first + len(observer.functions) - 1
