"""Functions added to a module that turn what only WebAssembly sees into an i64 to compare.

A reference to an aggregate becomes a hash of the graph that can be reached from it, with the
answers of `ref.test` for the module's types; a vector one of its lanes; all NaNs become one.
"""

from collections.abc import Sequence

from tests.fuzz.binary import signed, unsigned, vector
from tests.fuzz.layout import Layout

I32, I64, F32, F64, V128 = b"\x7f", b"\x7e", b"\x7d", b"\x7c", b"\x7b"
FUNCREF, EXTERNREF, ANYREF, I31REF = b"\x70", b"\x6f", b"\x6e", b"\x6c"
NUMBERS = (I32, I64, F32, F64)
#: Storage types of fields that are not values.
_PACKED = (b"\x78", b"\x77")
_TESTED_TYPES, _FIELDS, _ELEMENTS = 24, 12, 6  # of which a hash knows
_ANY = b"\x6e\x6d\x6c\x6b\x6a\x71"  # any, eq, i31, struct, array, none
_EXTERN = b"\x6f\x72"
_NULL, _RETURN, _SET, _GET = b"\xd1", b"\x0f", b"\x21", b"\x20"
_IF, _END, _EXTEND = b"\x04\x40", b"\x0b", b"\xad"
_TEST, _CAST = b"\xfb\x14", b"\xfb\x16"


def heap_type(kind: bytes) -> bytes:
    """What a reference type refers to."""
    return kind if len(kind) == 1 else kind[1:]


def is_nullable(kind: bytes) -> bool:
    return kind[0] != 0x64


def type_index(heap: bytes) -> int:
    """The index that a heap type is, or -1 for an abstract one."""
    if len(heap) == 1 and heap[0] & 0x40:
        return -1
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(heap))


class Observer:
    """Types and functions to add to a module; `first` is the index of the first function."""

    def __init__(self, layout: Layout, first: int) -> None:
        self.layout, self.first = layout, first
        self.types: list[bytes] = []
        self.functions: list[tuple[int, bytes]] = []  # type, body
        self.float = [self._float(F32, b"\xbc\xad", b"\x5b"), self._float(F64, b"\xbd", b"\x61")]
        self.vector = self.function([V128], [I64], [], _VECTOR)
        self.graph = first + len(self.functions)
        self.function([ANYREF, I32], [I64], [I64, I32], self._graph())

    def function(
        self,
        params: Sequence[bytes],
        results: Sequence[bytes],
        locals_: Sequence[bytes],
        code: bytes,
    ) -> int:
        """Add a function; returns its index."""
        kind = b"\x60" + vector(params) + vector(results)
        if kind not in self.types:
            self.types.append(kind)
        index = len(self.layout.types) + self.types.index(kind)
        self.functions.append((index, vector(b"\x01" + each for each in locals_) + code + _END))
        return self.first + len(self.functions) - 1

    def bodies(self) -> list[bytes]:
        return [unsigned(len(body)) + body for _, body in self.functions]

    def as_i64(self, kind: bytes, depth: bytes = b"\x41\x03") -> bytes:
        """Code that turns the operand into an i64; `depth` pushes how far to follow references."""
        if kind == I64:
            return b""
        if kind == I32 or kind in _PACKED:
            return _EXTEND
        if kind in (F32, F64):
            return b"\x10" + unsigned(self.float[kind == F64])
        if kind == V128:
            return b"\x10" + unsigned(self.vector)
        heap = heap_type(kind)
        index = type_index(heap)
        if heap in [bytes([b]) for b in _EXTERN]:
            return b"\xfb\x1a" + depth + b"\x10" + unsigned(self.graph)
        if heap[0] in _ANY if index < 0 else not self.layout.types[index].is_function:
            return depth + b"\x10" + unsigned(self.graph)
        return _NULL + _EXTEND

    def _float(self, kind: bytes, bits: bytes, equal: bytes) -> int:
        """The bits, or the same number for all NaNs."""
        code = b"\x20\0" + bits + b"\x42\x07" + b"\x20\0\x20\0" + equal + b"\x1b"
        return self.function([kind], [I64], [], code)

    def _graph(self) -> bytes:
        """Parameters: the reference, the depth; locals: the hash, a counter."""
        code = b"\x20\0" + _NULL + _IF + b"\x42\x01" + _RETURN + _END
        code += b"\x20\0" + _TEST + I31REF + _IF
        code += b"\x20\0" + _CAST + I31REF + b"\xfb\x1d\xac" + _RETURN + _END
        aggregates = [i for i, t in enumerate(self.layout.types) if not t.is_function]
        aggregates = aggregates[:_TESTED_TYPES]
        for index in aggregates:
            code += b"\x20\0" + _TEST + signed(index) + _EXTEND + fold(2)
        code += b"\x20\x01\x45" + _IF + b"\x20\x02" + _RETURN + _END
        for index in aggregates:
            code += b"\x20\0" + _TEST + signed(index) + _IF
            code += self._aggregate(index) + b"\x20\x02" + _RETURN + _END
        return code + b"\x20\x02"

    def _aggregate(self, index: int) -> bytes:
        """Fold the fields or elements of the reference, which is of that type."""
        defined, type_ = self.layout.types[index], unsigned(index)
        this = b"\x20\0" + _CAST + signed(index)
        nearer = b"\x20\x01\x41\x01\x6b"
        if not defined.is_array:
            code = b""
            for i, (kind, _) in enumerate(defined.fields[:_FIELDS]):
                get = b"\xfb\x04" if kind in _PACKED else b"\xfb\x02"
                code += this + get + type_ + unsigned(i) + self.as_i64(kind, nearer) + fold(2)
            return code
        kind = defined.fields[0][0]
        get = b"\xfb\x0d" if kind in _PACKED else b"\xfb\x0b"
        element = this + b"\x20\x03" + get + type_ + self.as_i64(kind, nearer) + fold(2)
        length = this + b"\xfb\x0f"
        return length + _EXTEND + fold(2) + loop(3, length, _ELEMENTS, element)


def fold(local: int) -> bytes:
    """Fold the i64 on the stack into a hash in a local."""
    place = unsigned(local)
    return b"\x20" + place + b"\x42\x1f\x7e\x7c" + b"\x21" + place


def loop(counter: int, length: bytes, most: int, body: bytes) -> bytes:
    """The body for values of an i32 local from 0 up to a length, `most` times."""
    place = unsigned(counter)
    code = b"\x41\0\x21" + place + b"\x02\x40\x03\x40"
    code += b"\x20" + place + length + b"\x4f\x0d\x01"  # i32.ge_u: done
    code += b"\x20" + place + b"\x41" + signed(most) + b"\x4f\x0d\x01"
    code += body + b"\x20" + place + b"\x41\x01\x6a\x21" + place + b"\x0c\0" + _END + _END
    return code


#: lane 0 * 31 + lane 1
_VECTOR = b"\x20\0\xfd\x1d\0\x42\x1f\x7e\x20\0\xfd\x1d\x01\x7c"
