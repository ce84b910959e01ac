"""memory.copy and memory.fill in compiled code: calls of the C library, or in place where few
bytes are concerned.
"""

import pytest

from tests.compile.test_running import run
from wasmote import Trap

pytest.importorskip("llvmlite")

PAGE = 65536


def bulk(kind: str, size: str):
    """Copy and fill with a size that is known, or is given."""
    return run(
        f"""(module (memory (export "memory") {kind} 1)
          (func (export "copy") (param {kind or "i32"} {kind or "i32"} {kind or "i32"})
            (memory.copy (local.get 0) (local.get 1) {size}))
          (func (export "fill") (param {kind or "i32"} i32 {kind or "i32"})
            (memory.fill (local.get 0) (local.get 1) {size})))""",
        level=2,
    ).exports


@pytest.mark.parametrize("kind", ["", "i64"])
@pytest.mark.parametrize("n", [0, 1, 5, 16, 33, 128, 129, 5000])
@pytest.mark.parametrize("known", [False, True])
def test_as_python_does_it(kind, n, known):
    exports = bulk(kind, f"({kind or 'i32'}.const {n})" if known else "(local.get 2)")
    memory = memoryview(exports.memory)
    start = bytes(i * 7 + 1 & 0xFF for i in range(20_000))
    for d, s in ((0, 100), (100, 0), (7, 7), (10_000, 3), (3, 10_000), (n, 0), (0, n)):
        memory[: len(start)] = start
        expected = bytearray(start)
        expected[d : d + n] = start[s : s + n]
        exports.copy(d, s, n)
        assert bytes(memory[: len(start)]) == expected
    exports.fill(50, 0x1AB, n)
    expected[50 : 50 + n] = b"\xab" * n
    assert bytes(memory[: len(start)]) == expected


@pytest.mark.parametrize("kind", ["", "i64"])
@pytest.mark.parametrize("n", [0, 16, 5000])
@pytest.mark.parametrize("known", [False, True])
def test_what_leads_out_of_the_memory_writes_nothing(kind, n, known):
    exports = bulk(kind, f"({kind or 'i32'}.const {n})" if known else "(local.get 2)")
    memory = memoryview(exports.memory)
    memory[:] = bytes(range(256)) * 256
    before = bytes(memory)
    last = PAGE - n
    exports.copy(last, last, n)
    for d, s in ((last + 1, 0), (0, last + 1), (-1, 0), (0, -1), (-n - 1, 0)):
        with pytest.raises(Trap, match="out of bounds memory"):
            exports.copy(d, s, n)
    for d in (last + 1, -1, -n - 1):
        with pytest.raises(Trap, match="out of bounds memory"):
            exports.fill(d, 0, n)
    assert bytes(memory) == before
    if not known:
        with pytest.raises(Trap, match="out of bounds memory"):
            exports.copy(0, 0, -1)
        with pytest.raises(Trap, match="out of bounds memory"):
            exports.fill(1, 0, -1)
