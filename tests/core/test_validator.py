"""The validator: typing rules, bounded costs, and what it notes for the engines."""

import time

import pytest

from tests.core.binaries import (
    ELEMENT,
    EXPORT,
    F32,
    FUNCREF,
    FUNCTION,
    GLOBAL,
    I32,
    I64,
    MEMORY,
    TABLE,
    TYPE,
    func_type,
    functions,
    module,
    vector,
)
from tests.core.loading import load, status_of
from tests.fuzz.mutate import unsigned
from wasmote.core import structs
from wasmote.core.limits import Limits
from wasmote.core.messages import describe
from wasmote.core.status import Status
from wasmote.wat import wat2wasm


def text_status(fields: str) -> Status:
    return status_of(wat2wasm(f"(module {fields})"))


VALID = {
    "polymorphic stack": "(func (result i32) unreachable i32.add)",
    "operands before unreachable": "(func (drop (i32.add (i64.const 1) (unreachable))))",
    "unreachable select": "(func (result i64) unreachable (select (i64.const 1) (i32.const 0)))",
    "unreachable br_table": """(func (result i32)
        (block (result i32) (block (result i64) unreachable (br_table 0 1 (i32.const 0)))
        drop (i32.const 1)))""",
    "values under a br": "(func (result i32) (i64.const 1) (return (i32.const 2)))",
    "loop parameters": """(func (i32.const 3)
        (loop (param i32) (i32.const 1) (br_if 0 (i32.const 0)) drop drop))""",
    "if without else passes parameters": """(func (result i32) (i32.const 1)
        (if (param i32) (result i32) (i32.const 0) (then nop)))""",
    "typed select": """(func (result funcref)
        (select (result funcref) (ref.null func) (ref.null func) (i32.const 0)))""",
    "declared by export": '(func $f (export "f")) (func (result funcref) (ref.func $f))',
    "global of a global": """(global $a i32 (i32.const 1))
        (global i32 (i32.mul (global.get $a) (i32.const 2)))""",
    "several tables": """(table $a 1 funcref) (table $b 1 externref)
        (func (table.set $b (i32.const 0) (table.get $b (i32.const 0))))""",
    "data.drop": '(memory 1) (data $d "x") (func (data.drop $d))',
    "several results": """(func $two (result i32 i64) (i32.const 1) (i64.const 2))
        (func (result i64 i32) (call $two)
        (block (param i32 i64) (result i64) drop drop (i64.const 0)) (i32.const 0))""",
}
INVALID = {
    "missing operand": ("(func (result i32) (i32.add (i32.const 1)))", Status.TYPE_MISMATCH),
    "wrong operand": ("(func (drop (i32.add (i32.const 1) (i64.const 1))))", Status.TYPE_MISMATCH),
    "surplus": ("(func (i32.const 1))", Status.TYPE_MISMATCH),
    "operand of an outer block": ("(func (i32.const 1) (block drop))", Status.TYPE_MISMATCH),
    "else branch": (
        "(func (result i32) (if (result i32) (i32.const 1) (then (i32.const 1)) (else)))",
        Status.TYPE_MISMATCH,
    ),
    "if without else": (
        "(func (drop (if (result i32) (i32.const 1) (then (i32.const 1)))))",
        Status.TYPE_MISMATCH,
    ),
    "branch operand": (
        "(func (block (result i32) (br 0 (i64.const 1))) drop)",
        Status.TYPE_MISMATCH,
    ),
    "br_table arities": (
        """(func (block (result i32)
        (block (br_table 0 1 (i32.const 1) (i32.const 0))) (i32.const 0)) drop)""",
        Status.TYPE_MISMATCH,
    ),
    "br_table types": (
        """(func (block (result i32) (block (result i64)
        (br_table 0 1 (i64.const 1) (i32.const 0))) drop (i32.const 0)) drop)""",
        Status.TYPE_MISMATCH,
    ),
    "unreachable keeps types": (
        "(func unreachable (i64.const 1) i32.eqz drop)",
        Status.TYPE_MISMATCH,
    ),
    "untyped select of references": (
        "(func (drop (select (ref.null func) (ref.null func) (i32.const 1))))",
        Status.TYPE_MISMATCH,
    ),
    "select of two types": (
        "(func (drop (select (i32.const 1) (f32.const 1) (i32.const 1))))",
        Status.TYPE_MISMATCH,
    ),
    "local": ("(func (local.set 0 (i32.const 1)))", Status.UNKNOWN_LOCAL),
    "local type": ("(func (param f32) (local.set 0 (i32.const 1)))", Status.TYPE_MISMATCH),
    "label": ("(func (br 1))", Status.UNKNOWN_LABEL),
    "function": ("(func (call 1))", Status.UNKNOWN_FUNCTION),
    "type": (
        "(table 1 funcref) (func (call_indirect (type 9) (i32.const 0)))",
        Status.UNKNOWN_TYPE,
    ),
    "table": ("(func (call_indirect (i32.const 0)))", Status.UNKNOWN_TABLE),
    "table of externref": (
        "(table 1 externref) (func (call_indirect (i32.const 0)))",
        Status.TYPE_MISMATCH,
    ),
    "global": ("(func (drop (global.get 0)))", Status.UNKNOWN_GLOBAL),
    "immutable global": (
        "(global i32 (i32.const 0)) (func (global.set 0 (i32.const 1)))",
        Status.IMMUTABLE_GLOBAL,
    ),
    "memory": ("(func (drop (i32.load (i32.const 0))))", Status.UNKNOWN_MEMORY),
    "memory.size": ("(func (drop (memory.size)))", Status.UNKNOWN_MEMORY),
    "elem": ("(table 1 funcref) (func (elem.drop 0))", Status.UNKNOWN_ELEMENT_SEGMENT),
    "table.init type": (
        """(table 1 externref) (elem funcref)
        (func (table.init 0 (i32.const 0) (i32.const 0) (i32.const 0)))""",
        Status.TYPE_MISMATCH,
    ),
    "table.copy type": (
        """(table $a 1 externref) (table $b 1 funcref)
        (func (table.copy $a $b (i32.const 0) (i32.const 0) (i32.const 0)))""",
        Status.TYPE_MISMATCH,
    ),
    "undeclared": ("(func (drop (ref.func 0)))", Status.UNDECLARED_REFERENCE),
    "start": ("(func (param i32)) (start 0)", Status.START_FUNCTION),
    "constant": ("(global i32 (i32.clz (i32.const 1)))", Status.CONSTANT_EXPRESSION),
    "constant type": ("(global i32 (i64.const 1))", Status.TYPE_MISMATCH),
    "mutable global in a constant": (
        "(global $m (mut i32) (i32.const 1)) (global i32 (global.get $m))",
        Status.CONSTANT_EXPRESSION,
    ),
    "later global in a constant": (
        "(global i32 (global.get 1)) (global i32 (i32.const 1))",
        Status.UNKNOWN_GLOBAL,
    ),
    "offset type": ('(memory 1) (data (i64.const 0) "")', Status.TYPE_MISMATCH),
    "element of another table": (
        "(table 1 externref) (elem (i32.const 0) func)",
        Status.TYPE_MISMATCH,
    ),
}


@pytest.mark.parametrize("fields", VALID.values(), ids=VALID)
def test_valid(fields: str) -> None:
    assert text_status(fields) is Status.OK


@pytest.mark.parametrize(("fields", "status"), INVALID.values(), ids=INVALID)
def test_invalid(fields: str, status: Status) -> None:
    assert text_status(fields) is status


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (b"\x28\x40\0\0\x1a", Status.OK),  # memory 0
        (b"\x28\x40\1\0", Status.UNKNOWN_MEMORY),
        (b"\x28\x80\x01\0", Status.MEMARG_FLAGS),
        (b"\x28\3\0", Status.ALIGNMENT),
        (b"\x28\2\x80\x80\x80\x80\x10", Status.OFFSET_RANGE),
        (b"\x28\2\xff\xff\xff\xff\x0f\x1a", Status.OK),
        (b"\xff", Status.ILLEGAL_OPCODE),
        (b"\x27", Status.ILLEGAL_OPCODE),
        (b"\xfc\x12", Status.ILLEGAL_OPCODE),
        (b"\xfc\xff\xff\xff\xff\x0f", Status.ILLEGAL_OPCODE),
        (b"\xfc\x80\x80\x80\x80\x80\0", Status.INTEGER_TOO_LONG),
        (b"\x41\x80\x80\x80\x80\x70\x1a", Status.INTEGER_TOO_LARGE),
        (b"\x41\xff\xff\xff\xff\x07\x1a\x1a", Status.OK),
        (b"\x05", Status.ELSE_WITHOUT_IF),
        (b"\x1a\x0b\x01", Status.FUNCTION_SIZE),
        (b"\x1a\x02\x7a\x0b", Status.VALUE_TYPE),
        (b"\x1a\x02\x05\x0b", Status.UNKNOWN_TYPE),
        (b"\x1a\x02\xff\x7f\x0b", Status.VALUE_TYPE),
        (b"\x1c\0", Status.RESULT_ARITY),
        (b"\x1c\2\x7f\x7f", Status.RESULT_ARITY),
    ],
)
def test_instruction_encodings(code: bytes, status: Status) -> None:
    memory = ((MEMORY, vector(b"\0\1")),)
    assert status_of(functions(b"\x41\0" + code, before=memory)) is status


@pytest.mark.parametrize(
    "code", [b"\x41", b"\x28\2", b"\x42\x80", b"\x43\0\0", b"\x02", b"\x0e\1\0"]
)
def test_instruction_cut_short(code: bytes) -> None:
    binary = functions(b"\x41\0" + code, before=((MEMORY, vector(b"\0\1")),))
    size_at = binary.rindex(b"\x41\0" + code) - 2
    cut = binary[:size_at] + bytes([binary[size_at] - 1]) + binary[size_at + 1 : -1]
    code_at = size_at - 2
    loaded = load(cut[:code_at] + bytes([cut[code_at] - 1]) + cut[code_at + 1 :])
    loaded.free()
    assert loaded.status is Status.UNEXPECTED_END_OF_SECTION
    assert loaded.error.offset == len(cut)


def test_body_without_end() -> None:
    code = b"\2" + b"\2\0\1" + b"\2\0\x0b"  # the first of two bodies: nop, no end
    binary = module((TYPE, vector(func_type())), (FUNCTION, vector(b"\0", b"\0")), (10, code))
    loaded = load(binary)
    loaded.free()
    assert loaded.status is Status.END_EXPECTED
    assert loaded.error.offset == binary.index(code) + 4


def test_data_count_is_required() -> None:
    memory = ((MEMORY, vector(b"\0\1")),)
    binary = functions(b"\xfc\x09\0", before=memory)
    assert status_of(binary) is Status.DATA_COUNT_REQUIRED
    binary = functions(b"\xfc\x09\0", before=(*memory, (12, b"\0")))
    assert status_of(binary) is Status.UNKNOWN_DATA_SEGMENT


def test_error_names_instruction_types_and_place() -> None:
    binary = functions(b"\x01\x42\0\x41\0\x6a\x1a")
    loaded = load(binary)
    loaded.free()
    error = loaded.error
    assert describe(error.status, error.detail, error.detail2) == (
        "type mismatch: i32.add expected i32, found i64"
    )
    assert binary[error.offset] == 0x6A


def test_immutable_global_is_named() -> None:
    globals_ = (GLOBAL, vector(*[b"\x7f\0\x41\0\x0b"] * 4))
    loaded = load(functions(b"\x41\0\x24\3", before=(globals_,)))
    loaded.free()
    assert (loaded.status, loaded.error.detail) == (Status.IMMUTABLE_GLOBAL, 3)


# -- bounded costs ---------------------------------------------------------------------------------


def test_deep_nesting() -> None:
    def nested(depth: int) -> bytes:
        return functions(b"\x02\x40" * depth + b"\x0b" * depth)

    loaded = load(nested(100_000))
    assert loaded.status is Status.OK
    (function,) = loaded.items("functions", structs.Function, 1)
    assert function.max_nesting == 0xFFFF
    loaded.free()
    loaded = load(nested(100_001))
    loaded.free()
    assert loaded.status is Status.LIMIT_NESTING
    assert (loaded.error.detail, loaded.error.detail2) == (100_001, 100_000)
    assert status_of(nested(0), Limits(nesting=0)) is Status.OK
    assert status_of(nested(1), Limits(nesting=0)) is Status.LIMIT_NESTING


def test_many_operands() -> None:
    def pushes(count: int) -> bytes:
        return functions(b"\x41\0" * count + b"\x1a" * count)

    loaded = load(pushes(1000))
    (function,) = loaded.items("functions", structs.Function, 1)
    assert function.max_operands == 1000
    loaded.free()
    assert status_of(pushes(11), Limits(operands=11)) is Status.OK
    loaded = load(pushes(12), Limits(operands=11))
    loaded.free()
    assert (loaded.status, loaded.error.detail) == (Status.LIMIT_OPERANDS, 12)


def test_peak_counts_results_of_calls() -> None:
    three = func_type(b"", bytes([I32] * 3))
    binary = functions(b"\x10\0", type_=three)
    loaded = load(binary)
    (function,) = loaded.items("functions", structs.Function, 1)
    assert (loaded.status, function.max_operands) == (Status.OK, 3)
    loaded.free()


@pytest.mark.parametrize(
    ("runs", "status"),
    [
        ([(49_998, I32), (2, I64)], Status.OK),
        ([(49_999, I32), (2, I64)], Status.LIMIT_LOCALS),
        ([(0xFFFF_FFFF, I32)], Status.LIMIT_LOCALS),
        ([(0xFFFF_FFFF, I32), (1, I64)], Status.TOO_MANY_LOCALS),
        ([(1 << 30, I32)] * 4, Status.TOO_MANY_LOCALS),
        ([(0, I32)] * 1000, Status.OK),
        ([(1, I32), (1, F32)] * 25_000, Status.OK),
    ],
)
def test_locals_limit(runs: list[tuple[int, int]], status: Status) -> None:
    declared = vector(*(unsigned(count) + bytes([t]) for count, t in runs))
    assert status_of(functions(b"", locals_=declared)) is status


@pytest.mark.parametrize(
    "index", [0, 1, 1022, 1023, 1024, 1025, 1500, 1999, 2000, 4999, 5000, 5001]
)
def test_types_of_far_locals(index: int) -> None:
    """i32, then 1999 i64, then 3001 f32, then one funcref."""
    runs = [(1, I32), (1999, I64), (3001, F32), (1, FUNCREF)]
    declared = vector(*(unsigned(count) + bytes([t]) for count, t in runs))
    expected = next(
        t for t, end in ((I32, 1), (I64, 2000), (F32, 5001), (FUNCREF, 5002)) if index < end
    )
    result = func_type(b"", bytes([expected]))
    assert (
        status_of(functions(b"\x20" + unsigned(index), type_=result, locals_=declared)) is Status.OK
    )
    wrong = func_type(b"", bytes([I64 if expected != I64 else I32]))
    code = b"\x20" + unsigned(index)
    assert status_of(functions(code, type_=wrong, locals_=declared)) is Status.TYPE_MISMATCH
    assert status_of(functions(b"\x20" + unsigned(5002), locals_=declared)) is Status.UNKNOWN_LOCAL


def test_many_functions_with_many_locals_are_cheap() -> None:
    """50,000 locals declared in 5 bytes, 100,000 times: the cost must go with the bytes."""
    declared = vector(unsigned(50_000) + bytes([I32]))
    binary = functions(*[b""] * 100_000, locals_=declared)
    start = time.perf_counter()
    assert status_of(binary) is Status.OK
    assert time.perf_counter() - start < 5


def test_huge_br_table() -> None:
    def table(count: int, labels: bytes) -> bytes:
        return functions(b"\x41\0\x0e" + unsigned(count) + labels)

    assert status_of(table(500_000, b"\0" * 500_001)) is Status.OK
    assert status_of(table(0xFFFF_FFFF, b"\0" * 10)) is Status.LIMIT_BR_TABLE
    cut_short = status_of(table(1_000_000, b"\0" * 10))  # the `end` is taken for a label
    assert cut_short is Status.UNKNOWN_LABEL
    assert status_of(table(3, b"\0" * 4), Limits(br_table=2)) is Status.LIMIT_BR_TABLE


def test_long_constant_expression() -> None:
    """Extended constant expressions may nest: the operand stack is that of the validator."""
    deep = b"\x41\1" * 5000 + b"\x6a" * 4999 + b"\x0b"
    assert status_of(module((GLOBAL, vector(b"\x7f\0" + deep)))) is Status.OK
    limited = Limits(operands=4999)
    assert status_of(module((GLOBAL, vector(b"\x7f\0" + deep))), limited) is Status.LIMIT_OPERANDS


def test_state_does_not_leak_between_functions() -> None:
    """A function whose rest is unreachable must not make the next one's missing operands appear."""
    assert status_of(functions(b"\x00", b"\x1a")) is Status.TYPE_MISMATCH
    globals_ = (GLOBAL, vector(b"\x7f\0\x6a\x0b"))
    assert status_of(module(globals_)) is Status.TYPE_MISMATCH


def test_references_only_of_declared_functions() -> None:
    declared = ((TABLE, vector(b"\x70\0\0")), (ELEMENT, vector(b"\3\0\1\1")))
    assert status_of(functions(b"\xd2\1\x1a", b"", before=declared)) is Status.OK
    assert status_of(functions(b"\xd2\0\x1a", b"", before=declared)) is Status.UNDECLARED_REFERENCE
    exported = ((EXPORT, vector(b"\0\0\1")),)
    assert status_of(functions(b"\xd2\1\x1a", b"", before=exported)) is Status.OK
