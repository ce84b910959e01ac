"""The app heap: memory of a module that the host allocates, for modules without `malloc`."""

from build import module

import wasmote

instance = wasmote.Instance(module("allocator/sum.wat"), heap_size=16 * 1024)
numbers = bytes(range(100))
address = instance.malloc(len(numbers))
instance.to_native(address, len(numbers))[:] = numbers
print("sum:", instance.exports.sum(address, len(numbers)), "=", sum(numbers))
instance.free(address)

try:
    instance.malloc(1 << 20)
except MemoryError as error:
    print("too much:", error)
pieces = [instance.malloc(1000) for _ in range(10)]
for piece in pieces:
    instance.free(piece)
print("all free again:", instance.malloc(12_000) != 0)
