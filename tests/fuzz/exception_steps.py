"""Steps of bodies that throw and catch."""

from tests.fuzz.binary import Types, encoded, signed, unsigned, vector
from tests.fuzz.choices import EXNREF
from tests.fuzz.mutate import read_unsigned
from tests.fuzz.writer import END, Writer

_THROW, _THROW_REF, _TRY_TABLE, _BLOCK = 0x08, 0x0A, 0x1F, 2
_TRY, _LEGACY_CATCH, _LEGACY_CATCH_ALL, _BR = 6, 7, 0x19, 0x0C
_CATCH, _CATCH_REF, _CATCH_ALL, _CATCH_ALL_REF = range(4)


class ExceptionSteps(Writer):
    """Exceptions of the module's tags, and any exception."""

    def tag_types(self, tag: int) -> Types:
        return self.shape.types[self.shape.tags[tag]][0]

    def throw(self) -> None:
        if self.shape.tags and len(self.frames) > 2 and self.rng.random() < 0.5:
            self.throw_now()

    def throw_now(self) -> None:
        tag = self.rng.randrange(len(self.shape.tags))
        self.need(self.tag_types(tag))
        self.emit(_THROW, unsigned(tag))
        self.die()

    def try_(self) -> None:
        """A try_table, in a block that one of its clauses leads to the end of.

        In the legacy form a block in a `try`, in code that is otherwise the same.
        """
        if len(self.frames) > self.deepest:
            return
        legacy = self.shape.legacy
        kind = self.rng.randrange(4) if legacy is None else self.rng.choice((_CATCH, _CATCH_ALL))
        tag = self.rng.randrange(len(self.shape.tags))
        arriving = self.tag_types(tag) if kind in (_CATCH, _CATCH_REF) else ()
        arriving += (EXNREF,) * (kind in (_CATCH_REF, _CATCH_ALL_REF))
        clauses = self.further_clauses()
        self.open(_TRY if legacy else _BLOCK, (), arriving, self.block_of(arriving))
        params, results, block = self.block_type()
        self.need(params)
        clauses.append(bytes([kind]) + (unsigned(tag) if kind < _CATCH_ALL else b"") + b"\0")
        self.rng.shuffle(clauses)
        if legacy:
            self.open(_BLOCK, params, results, block)
        else:
            self.open(_TRY_TABLE, params, results, block + vector(clauses))
        self.run(self.rng.randrange(1, 12))
        if not self.frames[-1].dead and self.rng.random() < 0.4:
            self.throw_now()
        self.close()
        self.close()
        if legacy:
            self.legacy_clauses(clauses)
        if arriving[-1:] == (EXNREF,) and self.rng.random() < 0.15:
            self.emit(_THROW_REF)
            self.die()

    def legacy_clauses(self, clauses: list[bytes]) -> None:
        """Put them before the `end` that was just written; what they lead to is a branch."""
        self.code.pop()
        for clause in clauses:
            tag, at = read_unsigned(clause, 1)
            if clause[0] == _CATCH:
                self.emit(_LEGACY_CATCH, unsigned(tag))
            else:
                self.emit(_LEGACY_CATCH_ALL)
                at = 1
            if clause[at:] != b"\0":
                self.emit(_BR, clause[at:])
            if clause[0] == _CATCH_ALL:
                break
        self.emit(END)

    def block_of(self, types: Types) -> bytes:
        """The type of a block with these results."""
        if len(types) < 2:
            return encoded(types[0]) if types else b"\x40"
        return signed(self.shape.types.index(((), types)))

    def further_clauses(self) -> list[bytes]:
        """Clauses that lead to blocks that are open already."""
        made = []
        for _ in range(self.rng.choice((0, 0, 1, 3))):
            label = self.label()
            wanted = self.frames[-1 - label].label
            place = unsigned(label + 1)  # seen from inside the block that is opened next
            if wanted == ():
                made.append(bytes([_CATCH_ALL]) + place)
            if wanted == (EXNREF,):
                made.append(bytes([_CATCH_ALL_REF]) + place)
            for tag in range(len(self.shape.tags)):
                if wanted == self.tag_types(tag):
                    made.append(bytes([_CATCH]) + unsigned(tag) + place)
                if wanted == (*self.tag_types(tag), EXNREF):
                    made.append(bytes([_CATCH_REF]) + unsigned(tag) + place)
        if self.shape.legacy is not None:
            return [clause for clause in made if clause[0] in (_CATCH, _CATCH_ALL)]
        return made
