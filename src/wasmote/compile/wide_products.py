"""Finds products of 64 by 64 bits to 128, which WebAssembly spells out in 32-bit halves.

C's `unsigned __int128` becomes calls of a function with four multiplications, and portable code has
the same in line. A machine has one instruction for it. What is computed is *proven*, whatever the
order of operations: each i64 value is a polynomial in the halves of values that nothing is known
of, and in remainders, so that a shift by 32 is the polynomial minus a remainder, divided by 2^32.
If 2^64 times a value is a product but for remainders that are less than 2^64, it is the product's
upper half; if a value is congruent to a product modulo 2^64, it is the lower half.
"""

from dataclasses import dataclass

from wasmote.compile.source import Body

#: Coefficients are multiples of 2^-64.
ONE = 1 << 64
WORD = 1 << 32
#: A polynomial: coefficients by the numbers of the one or two unknowns that they belong to.
Terms = dict[tuple[int, ...], int]
#: Polynomials of more terms are taken for unknowns.
_MOST_TERMS = 40

ADD, MUL, AND, OR, SHL, SHR = 0x7C, 0x7E, 0x83, 0x84, 0x86, 0x88
TRACKED = frozenset((ADD, MUL, AND, OR, SHL, SHR))
_SHIFT_BY_32 = b"\x42\x20\x88"  # i64.const 32, i64.shr_u


@dataclass(frozen=True, slots=True)
class Value:
    """An i64 value: congruent to a polynomial modulo 2^64, equal to it if `most`, its largest
    value, is known. `leaves` are what it is the sum of. With `shifted`, its lower 32 bits are 0.
    """

    terms: Terms
    most: int | None
    leaves: tuple[str, ...]
    shifted: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A value is the lower or upper half of the product of two others, plus the values `rest`."""

    upper: bool
    a: str
    b: str
    rest: tuple[str, ...] = ()


class Products:
    """What is known of the i64 values of a function, by name; a decimal number is a constant."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self._halves: dict[int, str] = {}  # lower halves of unknown values, and whose they are
        self._remainders: dict[int, Terms] = {}
        self._numbers: dict[frozenset[tuple[tuple[int, ...], int]], int] = {}
        self._count = 0

    def value(self, name: str) -> Value:
        """What is known of a value."""
        found = self.values.get(name)
        if found is None:
            found = self.values[name] = self._unknown(name)
        return found

    def _unknown(self, name: str) -> Value:
        try:
            number = int(name) % ONE
        except ValueError:
            low, high = self._count, self._count + 1
            self._count += 2
            self._halves[low] = name
            return Value({(low,): ONE, (high,): ONE * WORD}, ONE - 1, (name,))
        return Value({(): number * ONE} if number else {}, number, (name,))

    def operate(self, opcode: int, a: str, b: str, name: str) -> Found | None:
        """Note that `name` is the result of an instruction of `TRACKED`. Returns what it is, if it
        is part of a product.
        """
        x, y = self.value(a), self.value(b)
        made = self._made(opcode, x, y)
        if made is None or len(made[0]) > _MOST_TERMS:
            return None
        leaves = x.leaves + y.leaves if opcode == ADD else (name,)
        value = self.values[name] = Value(*made, leaves, opcode == SHL)
        if opcode == ADD:
            return self._upper(value) or self._lower(value)
        return self._lower(value) if opcode == OR else None

    # -- operations ------------------------------------------------------------------------------

    def _made(self, opcode: int, x: Value, y: Value) -> tuple[Terms, int | None] | None:
        if opcode == ADD:
            made = added([x, y])
            return made.terms, made.most
        if opcode == MUL:
            return multiplied(x, y)
        if opcode == OR:
            return self._or(x, y)
        number = y.most if not y.terms or y.terms.keys() == {()} else None
        if opcode == AND and number is None:
            return self._made(AND, y, x) if x.terms.keys() == {()} else None
        if opcode == AND and number == WORD - 1:
            return self._remainder(x)
        if opcode == SHL and number == 32:
            most = None if x.most is None or x.most >= WORD else x.most * WORD
            return {key: c * WORD for key, c in x.terms.items()}, most
        if opcode == SHR and number == 32:
            return self._shifted(x)
        return None

    def _or(self, x: Value, y: Value) -> tuple[Terms, int | None] | None:
        """A sum, where one has only zeros below bit 32, and the other above."""
        for a, b in ((x, y), (y, x)):
            if a.shifted and b.most is not None and b.most < WORD:
                made = added([a, b])
                return made.terms, made.most
        return None

    def _remainder(self, x: Value) -> tuple[Terms, int]:
        """Modulo 2^32."""
        if x.most is not None and x.most < WORD:
            return x.terms, x.most
        rest = {key: c for key, c in x.terms.items() if c % (ONE * WORD)}
        most = self._bound(rest)
        if most is not None and most < WORD:
            return rest, most
        key = frozenset(x.terms.items())
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._count
            self._count += 1
            self._remainders[number] = x.terms
        return {(number,): ONE}, WORD - 1

    def _shifted(self, x: Value) -> tuple[Terms, int] | None:
        """Divided by 2^32."""
        if x.most is None:
            return None
        difference = combined(x.terms, self._remainder(x)[0], -1)
        if any(c % WORD for c in difference.values()):
            return None
        return {key: c // WORD for key, c in difference.items()}, x.most >> 32

    @staticmethod
    def _bound(terms: Terms) -> int | None:
        """The largest value of a sum of unknowns, none of which counts negatively or in part."""
        if any(c < 0 or c % ONE for c in terms.values()):
            return None
        return sum(
            c // ONE * (WORD - 1 if len(key) == 1 else (WORD - 1) ** 2) for key, c in terms.items()
        )

    # -- products --------------------------------------------------------------------------------

    def _pair(self, terms: Terms, coefficient: int) -> tuple[str, str] | None:
        """The values whose lower halves' product occurs with a coefficient."""
        for key, c in terms.items():
            if c == coefficient and len(key) == 2:
                a, b = (self._halves.get(number) for number in key)
                if a is not None and b is not None:
                    return a, b
        return None

    def _upper(self, value: Value) -> Found | None:
        parts = {leaf: self.value(leaf) for leaf in value.leaves}
        if len(parts) < len(value.leaves):
            return None
        broken = [leaf for leaf, v in parts.items() if any(c % ONE for c in v.terms.values())]
        total = added([parts[leaf] for leaf in broken]).terms
        pair = self._pair(total, 1)
        if pair is None:
            return None
        a, b = (self.values[name] for name in pair)
        highest = {_highest(a, b): ONE}
        whole = next((leaf for leaf, v in parts.items() if v.terms == highest), None)
        if whole is None:
            return None
        sum_ = combined(total, highest, 1)
        left = self._bound(combined(product_of(a, b), sum_, -ONE))
        if left is None or left >= ONE:
            return None
        return Found(True, *pair, tuple(x for x in parts if x not in broken and x != whole))

    def _lower(self, value: Value) -> Found | None:
        if value.most is not None:
            return None  # it does not wrap
        terms = self._without_remainders(value.terms)
        pair = self._pair(terms, ONE)
        if pair is None:
            return None
        return Found(False, *pair) if self.is_sum_of_products(value.terms, [pair]) else None

    def is_sum_of_products(self, terms: Terms, pairs: list[tuple[str, str]]) -> bool:
        """Whether a polynomial is congruent to a sum of products modulo 2^64."""
        left = self._without_remainders(terms)
        for a, b in pairs:
            left = combined(left, product_of(self.value(a), self.value(b)), -1)
        return all(c % (ONE * ONE) == 0 for c in left.values())

    def _without_remainders(self, terms: Terms) -> Terms:
        """Congruent terms: 2^32 times a remainder modulo 2^32 is 2^32 times what it is of."""
        for _ in range(8):
            key = next(
                (
                    k
                    for k, c in terms.items()
                    if len(k) == 1 and k[0] in self._remainders and c % (ONE * WORD) == 0
                ),
                None,
            )
            if key is None:
                break
            times = terms[key] // ONE
            rest = {k: c for k, c in terms.items() if k != key}
            terms = combined(rest, self._remainders[key[0]], times)
        return terms


def _highest(a: Value, b: Value) -> tuple[int, ...]:
    """The unknowns whose product is that of the upper halves."""
    (high_a,), (high_b,) = (max(value.terms) for value in (a, b))
    return (min(high_a, high_b), max(high_a, high_b))


def combined(a: Terms, b: Terms, times: int) -> Terms:
    """a + times * b."""
    made = dict(a)
    for key, c in b.items():
        made[key] = made.get(key, 0) + times * c
    return {key: c for key, c in made.items() if c}


def added(values: list[Value]) -> Value:
    """The sum of some values."""
    terms: Terms = {}
    most: int | None = 0
    for value in values:
        terms = combined(terms, value.terms, 1)
        most = None if most is None or value.most is None else most + value.most
    if most is not None and most >= ONE:
        most = None
    return Value(terms, most, tuple(leaf for value in values for leaf in value.leaves))


def multiplied(x: Value, y: Value) -> tuple[Terms, int | None] | None:
    """The product of two values, if it is a polynomial of this kind."""
    try:
        made = product_of(x, y)
    except ValueError:
        return None
    most = None if x.most is None or y.most is None else x.most * y.most
    return made, None if most is None or most >= ONE else most


def product_of(x: Value, y: Value) -> Terms:
    """The product of two values. Raises ValueError if it is no polynomial of this kind."""
    made: Terms = {}
    for p, c in x.terms.items():
        for q, d in y.terms.items():
            key = tuple(sorted(p + q))
            if len(key) > 2 or c * d % ONE:
                raise ValueError
            made[key] = made.get(key, 0) + c * d // ONE
    return made


def has_products(code: bytes, body: Body) -> bool:
    """Whether a body is worth a look: it multiplies, and shifts by 32, often enough."""
    if code.count(_SHIFT_BY_32, body.start, body.end) < 3:
        return False
    return code.count(b"\x7e", body.start, body.end) >= 4
