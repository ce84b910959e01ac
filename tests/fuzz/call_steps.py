"""Steps of bodies that call: directly, through tables and references, in place of returning."""

from tests.fuzz.binary import Ref, Types, signed, unsigned
from tests.fuzz.choices import FUNCREF, I32, I64
from tests.fuzz.writer import Writer
from wasmote.isa import Feature

_CALL, _CALL_INDIRECT, _CALL_REF = 0x10, 0x11, 0x14
#: What to add to the opcode of a call.
_TAIL = {_CALL: 2, _CALL_INDIRECT: 2, _CALL_REF: 1}


class CallSteps(Writer):
    """All kinds of calls."""

    def invoke(self, opcode: int, params: Types, results: Types, *immediates: bytes) -> None:
        """A call, in place of returning if it may be."""
        own = self.frames[0].results
        if self.choices.has(Feature.TAIL_CALLS) and results == own and self.rng.random() < 0.3:
            self.emit(opcode + _TAIL[opcode], *immediates)
            self.die()
        else:
            self.apply(opcode, params, results, *immediates)

    def call(self) -> None:
        index = self.rng.choice(self.callees)
        params, results = self.shape.function_type(index)
        self.need(params)
        self.invoke(_CALL, params, results, unsigned(index))

    def tail_call(self) -> None:
        """Of a function that returns the same, at the end of what can be reached here."""
        if len(self.frames) == 1 or not self.choices.has(Feature.TAIL_CALLS):
            return
        own = self.frames[0].results
        found = [i for i in self.callees if self.shape.function_type(i)[1] == own]
        if found:
            index = self.rng.choice(found)
            self.need(self.shape.function_type(index)[0])
            self.emit(_CALL + _TAIL[_CALL], unsigned(index))
            self.die()

    def call_indirect(self) -> None:
        """Call through a table, mostly an element of the right type."""
        slot = self.rng.randrange(len(self.shape.elements))
        function = self.shape.elements[slot]
        if function is None or self.rng.random() < 0.05:
            type_index = self.rng.randrange(len(self.shape.types))
        else:
            type_index = self.shape.function_type_index(function)
        params, results = self.shape.types[type_index]
        tables = [i for i, t in enumerate(self.shape.tables, 2) if t.element == FUNCREF]
        table = self.rng.choice((0, 0, 0, *tables))
        is64 = self.shape.table(table).is64
        kind = I64 if is64 else I32
        self.need(params)
        self.apply(0x42 if is64 else 0x41, (), (kind,), signed(slot))
        local = self.local_of(kind)
        if local is not None and self.rng.random() < 0.5:
            self.apply(0x22, (kind,), (kind,), unsigned(local))
        self.invoke(_CALL_INDIRECT, (*params, kind), results, unsigned(type_index), unsigned(table))

    def call_ref(self) -> None:
        """Call a reference, mostly one to a function."""
        if not self.choices.has(Feature.FUNCTION_REFERENCES):
            return
        index = self.rng.choice(self.callees)
        type_index = self.shape.function_type_index(index)
        params, results = self.shape.types[type_index]
        kind = Ref(type_index)
        self.need(params)
        local = self.local_of(kind)
        if local is None:
            self.apply(0xD2, (), (kind,), unsigned(index))
        elif self.rng.random() < 0.2:
            self.apply(0x20, (), (kind,), unsigned(local))
        else:
            self.either(kind, local, b"\xd2" + unsigned(index))
        self.invoke(_CALL_REF, (*params, kind), results, unsigned(type_index))
