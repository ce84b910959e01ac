"""Steps of bodies that use memories and tables, of either index type and any page size."""

from tests.fuzz.binary import encoded, signed, unsigned
from tests.fuzz.choices import I32, I64
from tests.fuzz.writer import Writer
from wasmote.core.status import ValueType
from wasmote.isa import Feature, Instruction

_MISC = 0xFC << 16
_OVERLONG = 0.05  # how often memory 0 is named though it need not be


class MemorySteps(Writer):
    """Loads, stores, and what works on whole ranges."""

    # -- addresses ---------------------------------------------------------------------------------

    def any_memory(self) -> int:
        return self.rng.choice((0, 0, *range(len(self.shape.memories) + 1)))

    def address(self, memory: int) -> None:
        """An address, mostly within the memory."""
        room = self.shape.memory(memory)
        size = room.minimum << room.page_bits
        chance = self.rng.random()
        if chance < 0.2:
            self.index(self.rng.randrange(size + size // 16 + 2), room.is64)
            return
        self.need((I32,))
        if chance < 0.9:
            mask = (1 << max(size, 1).bit_length() - 1) - 1
            self.number(self.rng.choice((7, 255, 0xFFF8)) & mask)
            self.apply(0x71, (I32, I32), (I32,))
        if chance < 0.6:  # an addition that a load can take in
            local = self.local_of(I32)
            if local is not None and self.rng.random() < 0.5:
                self.apply(0x20, (), (I32,), unsigned(local))
                self.number(0xFFF)
                self.apply(0x71, (I32, I32), (I32,))
            else:
                self.value(I32)
            self.apply(0x6A, (I32, I32), (I32,))
        if room.is64:
            self.apply(self.rng.choice((0xAC, 0xAD, 0xAD, 0xAD)), (I32,), (I64,))

    def number(self, value: int) -> None:
        self.apply(0x41, (), (I32,), signed(value))

    def index(self, value: int, is64: bool) -> None:
        """A constant of an index type."""
        self.apply(0x42 if is64 else 0x41, (), (I64 if is64 else I32,), signed(value))

    def small(self, bound: int, is64: bool = False) -> None:
        """A constant up to a bound, or now and then any number."""
        if self.rng.random() < 0.9:
            self.index(self.rng.randrange(bound + 1), is64)
        else:
            self.value(I64 if is64 else I32)

    # -- memories ----------------------------------------------------------------------------------

    def load(self) -> None:
        self.access(self.rng.choice(self.choices.loads))

    def store(self) -> None:
        self.access(self.rng.choice(self.choices.stores))

    def atomic(self) -> None:
        if self.choices.atomics:
            self.access(self.rng.choice(self.choices.atomics))

    def access(self, chosen: Instruction) -> None:
        """A load or store."""
        assert chosen.params is not None
        memory = self.any_memory()
        is64 = self.shape.memory(memory).is64
        self.address(memory)
        if chosen in self.choices.atomics and self.rng.random() < 0.9:  # else mostly not aligned
            kind = I64 if is64 else I32
            self.index(-8, is64)
            self.apply(0x83 if is64 else 0x71, (kind, kind), (kind,))
        for kind in chosen.params[1:]:
            self.value(kind)
        params = (I64 if is64 else I32, *chosen.params[1:])
        first, *others = (self.immediate(chosen, each) for each in chosen.immediates)
        if memory or (self.choices.has(Feature.MULTI_MEMORY) and self.rng.random() < _OVERLONG):
            first = bytes([first[0] | 0x40]) + unsigned(memory) + first[1:]
        self.apply(chosen.opcode, params, chosen.results or (), first, *others)

    def whole_memory(self) -> None:
        memory = self.any_memory()
        room, index = self.shape.memory(memory), unsigned(memory)
        kind = I64 if room.is64 else I32
        most = min(60000, room.minimum << room.page_bits)
        match self.rng.randrange(6):
            case 0:
                self.apply(0x3F, (), (kind,), index)
            case 1:
                self.small(2, room.is64)
                self.apply(0x40, (kind,), (kind,), index)
            case 2:
                self.copy_memory(memory, self.any_memory())
            case 3:
                self.small(most, room.is64)
                self.value(I32)
                self.small(min(most, 300), room.is64)
                self.apply(_MISC | 11, (kind, I32, kind), (), index)
            case 4:
                self.small(min(most, 40), room.is64)
                self.small(40)
                self.small(20)
                segment = self.rng.randrange(len(self.shape.data))
                self.apply(_MISC | 8, (kind, I32, I32), (), unsigned(segment), index)
            case 5:
                if self.rng.random() < 0.1:
                    segment = self.rng.randrange(len(self.shape.data))
                    self.apply(_MISC | 9, (), (), unsigned(segment))

    def copy_memory(self, to: int, source: int) -> None:
        rooms = self.shape.memory(to), self.shape.memory(source)
        wide = [room.is64 for room in rooms]
        wide.append(all(wide))
        sizes = [min(60000, room.minimum << room.page_bits) for room in rooms]
        for bound, is64 in zip((*sizes, min(*sizes, 300)), wide, strict=True):
            self.small(bound, is64)
        params = tuple(I64 if each else I32 for each in wide)
        self.apply(_MISC | 10, params, (), unsigned(to), unsigned(source))

    # -- tables ------------------------------------------------------------------------------------

    def table_operation(self) -> None:
        if not self.choices.has(Feature.REFERENCE_TYPES):
            return
        table = self.rng.randrange(2 + len(self.shape.tables))
        room, encoded_index = self.shape.table(table), unsigned(table)
        size, kind, is64 = room.minimum, room.element, room.is64
        place = I64 if is64 else I32
        match self.rng.randrange(9):
            case 0 | 1:
                self.small(size, is64)
                self.apply(0x25, (place,), (kind,), encoded_index)
            case 2 | 3:
                self.small(size, is64)
                self.value(kind)
                self.apply(0x26, (place, kind), (), encoded_index)
            case 4:
                self.apply(_MISC | 16, (), (place,), encoded_index)
            case 5:
                self.value(kind)
                self.small(2, is64)
                self.apply(_MISC | 15, (kind, place), (place,), encoded_index)
            case 6:
                self.small(size, is64)
                self.value(kind)
                self.small(2, is64)
                self.apply(_MISC | 17, (place, kind, place), (), encoded_index)
            case 7:
                self.copy_table(table)
            case 8:
                self.fill_table(table)

    def copy_table(self, to: int) -> None:
        """From a table of the same element type."""
        rooms = [self.shape.table(i) for i in range(2 + len(self.shape.tables))]
        same = [i for i, room in enumerate(rooms) if room.element == rooms[to].element]
        source = self.rng.choice(same)
        wide = [rooms[to].is64, rooms[source].is64]
        wide.append(all(wide))
        for bound, is64 in zip((rooms[to].minimum, rooms[source].minimum, 3), wide, strict=True):
            self.small(bound, is64)
        params = tuple(I64 if each else I32 for each in wide)
        self.apply(_MISC | 14, params, (), unsigned(to), unsigned(source))

    def fill_table(self, table: int) -> None:
        """From the passive segment, of functions."""
        room = self.shape.table(table)
        if room.element != ValueType.FUNCREF:
            return
        kind = I64 if room.is64 else I32
        self.small(room.minimum, room.is64)
        if self.rng.random() < 0.05:
            self.apply(_MISC | 13, (), (), b"\x01")
        self.small(len(self.shape.elements))
        self.small(3)
        self.apply(_MISC | 12, (kind, I32, I32), (), b"\x01", unsigned(table))

    def reference(self) -> None:
        if not self.choices.has(Feature.REFERENCE_TYPES):
            return
        kinds = [ValueType.FUNCREF, ValueType.EXTERNREF, *self.choices.references]
        kind = self.rng.choice(kinds)
        self.need((kind,))
        if self.rng.random() < 0.3:
            self.value(kind)
            self.number(self.rng.randrange(2))
            self.apply(0x1C, (kind, kind, I32), (kind,), b"\x01", encoded(kind))
        self.apply(0xD1, (kind,), (I32,))
