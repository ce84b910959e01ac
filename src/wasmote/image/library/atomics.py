"""Operations that are to be atomic, for machines without instructions for them: of 8 bytes on most
machines of 32 bits, all that read and write at once on Cortex-M0.

They are ordinary loads and stores. So they are right where a program has one thread, and interrupts
leave its memory alone, which is all that images for such machines promise.
"""

from typing import Any

from wasmote.nativepy import (
    NativeFunction,
    boolean,
    i32,
    inline,
    native,
    ptr,
    u8,
    u16,
    u32,
    u64,
    void,
)

FUNCTIONS: dict[str, NativeFunction] = {}


@inline
def added(a, b):
    return a + b


@inline
def subtracted(a, b):
    return a - b


@inline
def both(a, b):
    return a & b


@inline
def either(a, b):
    return a | b


@inline
def different(a, b):
    return a ^ b


@inline
def second(a, b):
    return b


def _change(name: str, T: Any, operation: Any) -> NativeFunction:
    @native(export=name)
    def change(place: ptr[T], x: T, order: i32) -> T:
        old = place[0]
        place[0] = operation(old, x)
        return old

    return change


def _define(T: Any, size: int) -> None:
    @native(export=f"__atomic_load_{size}")
    def load(place: ptr[T], order: i32) -> T:
        return place[0]

    @native(export=f"__atomic_store_{size}")
    def store(place: ptr[T], x: T, order: i32) -> void:
        place[0] = x

    @native(export=f"__atomic_compare_exchange_{size}")
    def compare_exchange(
        place: ptr[T], expected: ptr[T], x: T, success: i32, failure: i32
    ) -> boolean:
        old = place[0]
        if old != expected[0]:
            expected[0] = old
            return False
        place[0] = x
        return True

    operations = {
        "exchange": second, "fetch_add": added, "fetch_sub": subtracted, "fetch_and": both,
        "fetch_or": either, "fetch_xor": different,
    }  # fmt: skip
    for each in (load, store, compare_exchange):
        FUNCTIONS[each.export or ""] = each
    for name, operation in operations.items():
        symbol = f"__atomic_{name}_{size}"
        FUNCTIONS[symbol] = _change(symbol, T, operation)


for _size, _type in ((1, u8), (2, u16), (4, u32), (8, u64)):
    _define(_type, _size)
