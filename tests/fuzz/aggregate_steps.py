"""Steps of bodies that use structures, arrays and i31, and branch on null and on casts.

Values are known by nullable types, also where a step leaves one that never is null or of a subtype:
what is known of the stack is then less than what is true, which is always valid.
"""

from tests.fuzz.binary import Aggregate, Kind, Ref, encoded, heap, signed, unsigned
from tests.fuzz.choices import ANYREF, ARRAYREF, EQREF, EXTERNREF, I31REF, I32, STRUCTREF
from tests.fuzz.writer import END, Writer
from wasmote.core.status import ValueType
from wasmote.isa import Feature

_GC = 0xFB << 16
_PACKED = (ValueType.I8, ValueType.I16)
_ELEMENTS = 6  # of most arrays


def unpacked(kind: Kind) -> Kind:
    """The type of a field's value on the stack."""
    return I32 if kind in _PACKED else kind


class AggregateSteps(Writer):
    """Makes objects, reads and changes them, and asks what they are."""

    def branch_on_null(self) -> None:
        """br_on_null or br_on_non_null."""
        if not self.choices.has(Feature.FUNCTION_REFERENCES):
            return
        label = self.label()
        types = self.frames[-1 - label].label
        if types and types[-1] in self.choices.references and self.rng.random() < 0.5:
            self.need(types)
            self.apply(0xD6, types, types[:-1], unsigned(label))
            return
        kind = self.rng.choice(self.choices.references)
        self.need(types)
        self.value(kind)
        self.apply(0xD5, (*types, kind), (*types, kind), unsigned(label))

    # -- making ------------------------------------------------------------------------------------

    def aggregate(self) -> None:
        """One step with objects, if there are any types of them."""
        if not self.shape.aggregates:
            return
        steps = (
            *((self.make, 4), (self.get, 5), (self.set, 4), (self.array_range, 4)),
            *((self.ask, 3), (self.branch_on_cast, 3), (self.small_integer, 2)),
            *((self.convert, 1), (self.equal, 1)),
        )
        functions, weights = zip(*steps, strict=True)
        self.rng.choices(functions, weights)[0]()

    def chosen(self, array: bool | None = None) -> tuple[Ref, Aggregate]:
        """Some aggregate's type: of an array or not, or either."""
        found = [
            (Ref(index), each)
            for index, each in enumerate(self.shape.aggregates, len(self.shape.types))
            if array in (None, each.is_array)
        ]
        top = self.stack[-1] if self.here else None
        return next((each for each in found if each[0] == top), self.rng.choice(found))

    def make(self) -> None:
        kind, defined = self.chosen()
        index = unsigned(kind.index)
        if not defined.is_array:
            if self.rng.random() < 0.3:
                self.apply(_GC | 1, (), (kind,), index)
                return
            fields = tuple(unpacked(each) for each, _ in defined.fields)
            self.need(fields)
            self.apply(_GC | 0, fields, (kind,), index)
            return
        element = unpacked(defined.fields[0][0])
        match self.rng.randrange(4):
            case 0:
                self.need((element,))
                self.length()
                self.apply(_GC | 6, (element, I32), (kind,), index)
            case 1:
                self.length()
                self.apply(_GC | 7, (I32,), (kind,), index)
            case 2:
                count = self.rng.randrange(_ELEMENTS)
                self.need((element,) * count)
                self.apply(_GC | 8, (element,) * count, (kind,), index, unsigned(count))
            case 3:
                self.from_segment(kind, element)

    def from_segment(self, kind: Ref, element: Kind) -> None:
        """array.new_data or array.new_elem."""
        self.length(8)
        self.length()
        index = unsigned(kind.index)
        if element == ValueType.FUNCREF:
            self.apply(_GC | 10, (I32, I32), (kind,), index, b"\x01")
        elif self.is_number(element):
            segment = self.rng.randrange(len(self.shape.data))
            self.apply(_GC | 9, (I32, I32), (kind,), index, unsigned(segment))
        else:
            self.apply(0x1A, (I32,), ())
            self.apply(_GC | 7, (I32,), (kind,), index)

    def is_number(self, kind: Kind) -> bool:
        return not isinstance(kind, Ref) and kind >= ValueType.V128

    def length(self, most: int = _ELEMENTS) -> None:
        """A small number, or now and then any."""
        if self.rng.random() < 0.98:
            self.apply(0x41, (), (I32,), signed(self.rng.randrange(most)))
        else:
            self.value(I32)
            self.apply(0x41, (), (I32,), signed(0xFFFFF))
            self.apply(0x71, (I32, I32), (I32,))

    def object(self, kind: Ref) -> None:
        """An object that mostly is not null."""
        local = self.local_of(kind)
        index = unsigned(kind.index)
        is_array = self.shape.aggregates[kind.index - len(self.shape.types)].is_array
        new = b"\x41\x03\xfb\x07" + index if is_array else b"\xfb\x01" + index
        if local is None:
            self.code += new
            self.stack.append(kind)
        elif self.rng.random() < 0.1:
            self.apply(0x20, (), (kind,), unsigned(local))
            if self.rng.random() < 0.5:
                self.apply(0xD4, (kind,), (kind,))
        else:
            self.either(kind, local, new)

    # -- reading and changing ----------------------------------------------------------------------

    def get(self) -> None:
        kind, defined = self.chosen()
        field = self.rng.randrange(len(defined.fields)) if defined.fields else None
        if field is None:
            return
        stored = defined.fields[field][0]
        opcode = _GC | (11 if defined.is_array else 2)
        if stored in _PACKED:
            opcode += self.rng.choice((1, 2))
        if self.rng.random() < 0.7:
            self.object(kind)
        else:
            self.need((kind,))
        if defined.is_array:
            self.length(4)
            self.apply(opcode, (kind, I32), (unpacked(stored),), unsigned(kind.index))
        else:
            where = unsigned(kind.index) + unsigned(field)
            self.apply(opcode, (kind,), (unpacked(stored),), where)

    def set(self) -> None:
        kind, defined = self.chosen()
        mutable = [i for i, (_, mutable) in enumerate(defined.fields) if mutable]
        if not mutable:
            return
        field = self.rng.choice(mutable)
        stored = unpacked(defined.fields[field][0])
        self.object(kind)
        if defined.is_array:
            self.length(4)
            self.value(stored)
            self.apply(_GC | 14, (kind, I32, stored), (), unsigned(kind.index))
        else:
            self.value(stored)
            where = unsigned(kind.index) + unsigned(field)
            self.apply(_GC | 5, (kind, stored), (), where)

    def array_range(self) -> None:
        """array.len, fill, copy, init_data, init_elem."""
        if not any(each.is_array for each in self.shape.aggregates):
            return
        kind, defined = self.chosen(array=True)
        index, (stored, mutable) = unsigned(kind.index), defined.fields[0]
        step = self.rng.randrange(4)
        self.object(kind)
        if step == 0 or not mutable:
            self.apply(_GC | 15, (kind,), (I32,))
            return
        self.length(4)
        if step == 1:
            self.value(unpacked(stored))
            self.length(4)
            self.apply(_GC | 16, (kind, I32, unpacked(stored), I32), (), index)
        elif step == 2:
            self.object(kind)
            self.length(4)
            self.length(4)
            self.apply(_GC | 17, (kind, I32, kind, I32, I32), (), index, index)
        else:
            self.length(8)
            self.length(4)
            params = (kind, I32, I32, I32)
            if stored == ValueType.FUNCREF:
                self.apply(_GC | 19, params, (), index, b"\x01")
            elif self.is_number(stored):
                segment = self.rng.randrange(len(self.shape.data))
                self.apply(_GC | 18, params, (), index, unsigned(segment))
            else:
                for each in reversed(params):
                    self.apply(0x1A, (each,), ())

    # -- types -------------------------------------------------------------------------------------

    def family(self) -> tuple[Kind, Kind]:
        """A type of aggregates or above, and one that its values may be of."""
        kind, defined = self.chosen()
        above: list[Kind] = [ANYREF, EQREF, ARRAYREF if defined.is_array else STRUCTREF]
        if defined.above is not None:
            above += [Ref(defined.above)] * 3
        return self.rng.choice(above), kind

    def of_family(self, general: Kind, special: Kind) -> None:
        """A value that is known to be of the one type, and mostly of the other."""
        chance = self.rng.random()
        if chance < 0.4 and isinstance(special, Ref):
            self.object(special)
            self.stack[-1] = general
        elif chance < 0.5 and general in (ANYREF, EQREF):
            self.value(I31REF)
            self.stack[-1] = general
        else:
            self.value(general)

    def ask(self) -> None:
        """ref.test; a cast where it holds; now and then one where it may not."""
        general, special = self.family()
        target = self.rng.choice((special, special, I31REF if general == ANYREF else special))
        opcode = _GC | 20 | self.rng.randrange(2)
        self.of_family(general, special)
        if self.rng.random() < 0.6:
            self.apply(opcode, (general,), (I32,), heap(target))
        elif self.rng.random() < 0.15:
            self.apply(opcode + 2, (general,), (target,), heap(target))
        else:
            self.apply(0x1A, (general,), ())
            self.cast_where_it_holds(general, target)

    def cast_where_it_holds(self, general: Kind, target: Kind) -> None:
        local = self.local_of(general)
        if local is None:
            return
        get = b"\x20" + unsigned(local)
        self.code += get + b"\xfb\x15" + heap(target)  # ref.test null
        self.emit(0x04, encoded(target))
        self.code += get + b"\xfb\x17" + heap(target)
        self.emit(0x05)
        self.code += b"\xd0" + heap(target)
        self.emit(END)
        self.stack.append(target)

    def branch_on_cast(self) -> None:
        """Out of a block that has the more special type, or, if the cast fails, the general one."""
        general, special = self.family()
        fails = self.rng.random() < 0.5
        flags = self.rng.choice((1, 3))  # from a nullable type, to one that is or is not
        label = general if fails else special
        self.open(2, (), (label,), encoded(label))
        self.of_family(general, special)
        rest: Kind = special if fails else general
        immediates = bytes([flags, 0]) + heap(general) + heap(special)
        self.apply(_GC | (25 if fails else 24), (general,), (rest,), immediates)
        self.sink()
        self.close()

    def small_integer(self) -> None:
        if self.rng.random() < 0.5:
            self.need((I32,))
            self.apply(_GC | 28, (I32,), (I31REF,))
            return
        local = self.local_of(I31REF)
        if local is not None and self.rng.random() < 0.8:
            self.either(I31REF, local, b"\x41\x05\xfb\x1c")
        else:
            self.value(I31REF)
        self.apply(_GC | self.rng.choice((29, 30)), (I31REF,), (I32,))

    def convert(self) -> None:
        kinds = [(EXTERNREF, ANYREF, 26), (ANYREF, EXTERNREF, 27)]
        source, to, opcode = self.rng.choice(kinds)
        self.need((source,))
        self.apply(_GC | opcode, (source,), (to,))

    def equal(self) -> None:
        for _ in range(2):
            if self.rng.random() < 0.5:
                self.value(EQREF)
            else:
                self.of_family(EQREF, self.chosen()[0])
        self.apply(0xD3, (EQREF, EQREF), (I32,))
