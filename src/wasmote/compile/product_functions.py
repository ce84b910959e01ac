"""Functions that store the product of two 128-bit integers, which compilers call `__multi3`.

They are known by what they do (`wide_products`), whatever they are called. One that is called is
expanded, and what is read back where it has just stored is its result: see `instructions.products`.
"""

from wasmote.compile.reading import Cursor
from wasmote.compile.source import Body, Source
from wasmote.compile.wide_products import ADD, TRACKED, Products, added, has_products

#: The address of the result, then the halves of the operands, lower ones first.
_PARAMETERS = ("i32", "i64", "i64", "i64", "i64")
_GET, _SET, _TEE, _CONST, _STORE, _END = 0x20, 0x21, 0x22, 0x42, 0x37, 0x0B
#: Offsets of the halves from the address.
LOW, UPPER = 0, 8


def stores_product(source: Source, body: Body) -> bool:
    """Whether a function does nothing but store, at the address that is its first parameter in
    memory 0, the product modulo 2^128 of the two integers whose halves are the others.
    """
    type = source.types[body.type]
    if type.params != _PARAMETERS or type.results or not has_products(source.binary, body):
        return False
    if not source.memories or source.memories[0].is64:
        return False
    reader = _Reader(Cursor(source.binary, body.start, source.defined))
    return reader.read(body.end) and reader.is_product()


class _Reader:
    """Goes through the code of a function without blocks, and notes what it stores."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.products = Products()
        self.stack: list[str] = []
        self.locals = [f"p{i}" for i in range(len(_PARAMETERS))]
        self.stored: dict[int, str] = {}
        self.count = 0

    def read(self, end: int) -> bool:
        """False: it does something else."""
        cursor, stack, locals = self.cursor, self.stack, self.locals
        for _ in range(cursor.unsigned()):
            count = cursor.unsigned()
            if cursor.value_type() != "i64" or count > 100:
                return False
            locals += ["0"] * count
        while cursor.pos < end:
            opcode = cursor.opcode()
            if opcode == _GET:
                stack.append(locals[cursor.unsigned()])
            elif opcode in (_SET, _TEE):
                locals[cursor.unsigned()] = stack[-1] if opcode == _TEE else stack.pop()
            elif opcode == _CONST:
                stack.append(str(cursor.signed()))
            elif opcode in TRACKED:
                b, a = stack.pop(), stack.pop()
                stack.append(self.operated(opcode, a, b))
            elif opcode != _STORE or not self.store():
                return opcode == _END and cursor.pos == end
        return False

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def operated(self, opcode: int, a: str, b: str) -> str:
        name = self.fresh()
        found = self.products.operate(opcode, a, b, name)
        if found is None:
            return name
        name = half_name(found.upper, found.a, found.b)
        for value in found.rest:
            total = self.fresh()
            self.products.operate(ADD, name, value, total)
            name = total
        return name

    def store(self) -> bool:
        """Note a store. False: it is not one of a half of the result."""
        memory, offset = self.cursor.memarg()
        value = self.stack.pop()
        if memory or self.stack.pop() != "p0" or offset in self.stored:
            return False
        self.stored[offset] = value
        return True

    def is_product(self) -> bool:
        """Whether what was stored are the halves of the product."""
        low, upper = self.stored.get(LOW), self.stored.get(UPPER)
        if len(self.stored) != 2 or low is None or upper is None:
            return False
        products, pair = self.products, ("p1", "p3")
        if low != half_name(False, *pair) and not products.is_sum_of_products(
            products.value(low).terms, [pair]
        ):
            return False
        leaves = list(products.value(upper).leaves)
        half = half_name(True, *pair)
        if leaves.count(half) != 1:
            return False
        leaves.remove(half)
        crossed = added([products.value(leaf) for leaf in leaves]).terms
        return products.is_sum_of_products(crossed, [("p1", "p4"), ("p2", "p3")])


def half_name(upper: bool, a: str, b: str) -> str:
    """What a half of a product is called."""
    return f"{'upper' if upper else 'low'} {min(a, b)} {max(a, b)}"
