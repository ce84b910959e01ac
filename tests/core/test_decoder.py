"""The decoder: what it makes of modules, and that nothing hostile gets past it."""

import ctypes
from typing import Any

import pytest

import wasmote
from tests.core.binaries import (
    CODE,
    CUSTOM,
    DATA,
    DATA_COUNT,
    ELEMENT,
    EXPORT,
    EXTERNREF,
    F64,
    FUNCREF,
    FUNCTION,
    GLOBAL,
    I32,
    I64,
    IMPORT,
    MEMORY,
    PREAMBLE,
    START,
    TABLE,
    TAG,
    TYPE,
    body,
    func_type,
    functions,
    module,
    name,
    vector,
)
from tests.core.loading import Loaded, Platform, load, status_of
from tests.fuzz.mutate import join_bodies, sections, unsigned
from wasmote.core import structs
from wasmote.core.limits import Limits
from wasmote.core.status import ExternKind, SegmentMode, Status
from wasmote.core.value_types import NON_NULL
from wasmote.errors import ModuleError
from wasmote.isa import DEFAULT_FEATURES, Feature
from wasmote.wat import wat2wasm

#: A bit of everything.
RICH = wat2wasm(
    """(module $rich
    (type $t (func (param i32 i64 f64) (result f32 externref)))
    (import "env" "print" (func $print (param i32)))
    (import "env" "table" (table 1 10 funcref))
    (import "env" "base" (global $base i32))
    (import "env" "count" (global $count (mut i64)))
    (func $add (export "add") (param i32 i32) (result i32)
      (local i64 i64 f32)
      (block (result i32) (i32.add (local.get 0) (local.get 1))))
    (func $fill (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 2)))
    (func $start (call $print (i32.const 7)))
    (table $extra 5 externref)
    (memory (export "memory") 2 4)
    (global $next (mut i32) (i32.add (global.get $base) (i32.const 4)))
    (global $f funcref (ref.func $fill))
    (start $start)
    (elem (i32.const 1) $add $fill)
    (elem $p funcref (ref.func $add) (ref.null func))
    (elem declare func $start)
    (data (i32.const 16) "hello")
    (data $passive "\\01\\02\\03"))"""
)


@pytest.fixture
def rich() -> Any:
    loaded = load(RICH)
    assert loaded.status is Status.OK
    yield loaded
    loaded.free()


# -- what a module holds ---------------------------------------------------------------------------


def test_types(rich: Loaded) -> None:
    first = rich.items("types", structs.FuncType, rich.native.type_count)[0]
    types = (ctypes.c_uint32 * 5).from_address(first.types)
    assert list(types) == [I32, I64, F64, 0x7D, EXTERNREF]
    assert (first.param_count, first.result_count) == (3, 2)
    assert (first.param_cells, first.result_cells) == (5, 2)


def test_imports(rich: Loaded) -> None:
    found = rich.items("imports", structs.Import, rich.native.import_count)
    assert [
        (rich.text(i.module), rich.text(i.name), ExternKind(i.kind), i.index) for i in found
    ] == [
        (b"env", b"print", ExternKind.FUNCTION, 0),
        (b"env", b"table", ExternKind.TABLE, 0),
        (b"env", b"base", ExternKind.GLOBAL, 0),
        (b"env", b"count", ExternKind.GLOBAL, 1),
    ]
    native = rich.native
    assert (native.imported_functions, native.imported_tables) == (1, 1)
    assert (native.imported_memories, native.imported_globals) == (0, 2)


def test_index_spaces(rich: Loaded) -> None:
    tables = rich.items("tables", structs.TableType, rich.native.table_count)
    assert [(t.element, t.minimum, t.maximum) for t in tables] == [
        (FUNCREF, 1, 10),
        (EXTERNREF, 5, structs.NO_MAXIMUM),
    ]
    (memory,) = rich.items("memories", structs.MemoryType, rich.native.memory_count)
    assert (memory.minimum, memory.maximum, memory.page_shift) == (2, 4, 16)
    found = rich.items("globals", structs.GlobalType, rich.native.global_count)
    assert [(g.content, g.mutable) for g in found] == [(I32, 0), (I64, 1), (I32, 1), (FUNCREF, 0)]
    assert ctypes.string_at(found[2].init.code, found[2].init.size) == b"\x23\0\x41\4\x6a\x0b"


def test_functions(rich: Loaded) -> None:
    found = rich.items("functions", structs.Function, rich.native.function_count)
    assert len(found) == 4
    assert found[0].body is None
    assert found[1].body_size and ctypes.string_at(found[1].body, 1) == b"\2"  # two runs of locals
    assert (found[1].max_operands, found[1].max_nesting) == (2, 1)
    assert (found[2].max_operands, found[2].max_nesting) == (3, 0)
    assert rich.native.start == 3


def test_exports(rich: Loaded) -> None:
    found = rich.items("exports", structs.Export, rich.native.export_count)
    assert [(rich.text(e.name), e.kind, e.index) for e in found] == [
        (b"add", ExternKind.FUNCTION, 1),
        (b"memory", ExternKind.MEMORY, 0),
    ]


def test_segments(rich: Loaded) -> None:
    found = rich.items("elements", structs.ElementSegment, rich.native.element_count)
    assert [(e.mode, e.type, e.count, e.functions) for e in found] == [
        (SegmentMode.ACTIVE, FUNCREF | NON_NULL, 2, 1),
        (SegmentMode.PASSIVE, FUNCREF, 2, 0),
        (SegmentMode.DECLARATIVE, FUNCREF | NON_NULL, 1, 1),
    ]
    assert ctypes.string_at(found[0].items, found[0].items_size) == b"\1\2"
    assert ctypes.string_at(found[1].items, found[1].items_size) == b"\xd2\1\x0b\xd0\x70\x0b"
    segments = rich.items("data", structs.DataSegment, rich.native.data_count)
    assert [(d.mode, ctypes.string_at(d.data, d.size)) for d in segments] == [
        (SegmentMode.ACTIVE, b"hello"),
        (SegmentMode.PASSIVE, b"\1\2\3"),
    ]


def test_declared_functions(rich: Loaded) -> None:
    bits = ctypes.string_at(rich.native.declared, 1)[0]
    assert bits == 0b1110  # exported, in segments, in a global; not the import


def test_function_names(rich: Loaded) -> None:
    names = [rich.function_name(i) for i in range(5)]
    assert names == [b"print", b"add", b"fill", b"start", None]


def test_code_section(rich: Loaded) -> None:
    start = RICH.index(bytes([CODE]), rich.native.code_section - 4)
    assert start < rich.native.code_section < len(RICH)
    assert RICH[rich.native.code_section] == 3  # bodies
    end = rich.native.code_section + rich.native.code_section_size
    assert RICH[end] == DATA


def test_custom_sections_anywhere() -> None:
    custom = (CUSTOM, name("note") + b"payload")
    loaded = load(
        module(custom, (TYPE, vector()), custom, custom, (MEMORY, vector(b"\0\1")), custom)
    )
    found = loaded.items("customs", structs.CustomSection, loaded.native.custom_count)
    assert [(loaded.text(c.name), ctypes.string_at(c.data, c.size)) for c in found] == [
        (b"note", b"payload")
    ] * 4
    loaded.free()


def test_empty_module() -> None:
    assert status_of(PREAMBLE) is Status.OK


# -- malformed -------------------------------------------------------------------------------------


def test_truncated_at_each_byte() -> None:
    boundaries = {len(PREAMBLE)}
    for section, content in sections(RICH):
        boundaries.add(max(boundaries) + len(module((section, content))) - len(PREAMBLE))
    assert max(boundaries) == len(RICH)
    for size in range(len(RICH)):
        loaded = load(RICH[:size])
        loaded.free()
        assert loaded.error.offset <= size
        if size in boundaries:
            expected = (Status.OK, Status.FUNCTION_CODE_COUNT, Status.DATA_COUNT)
        else:
            ends = Status.UNEXPECTED_END, Status.UNEXPECTED_END_OF_SECTION
            expected = (*ends, Status.LENGTH_OUT_OF_BOUNDS)
        assert loaded.status in expected, size


def test_each_byte_changed() -> None:
    """Whatever one byte becomes: no crash, and a status with an offset inside."""
    for at in range(len(RICH)):
        for byte in (0, 1, 0x0B, 0x40, 0x7F, 0x80, 0xFF, RICH[at] ^ 1):
            loaded = load(RICH[:at] + bytes([byte]) + RICH[at + 1 :])
            loaded.free()
            assert loaded.error.offset <= len(RICH)


@pytest.mark.parametrize(
    ("binary", "status", "offset"),
    [
        (b"", Status.UNEXPECTED_END, 0),
        (b"\0as", Status.UNEXPECTED_END, 3),
        (b"\0asm\1\0\0", Status.UNEXPECTED_END, 7),
        (b"wasm\1\0\0\0", Status.MAGIC, 0),
        (b"\0asm\2\0\0\0", Status.VERSION, 4),
        (PREAMBLE + b"\x0e\0", Status.SECTION_ID, 8),
        (PREAMBLE + b"\1\5\0", Status.LENGTH_OUT_OF_BOUNDS, 9),
        (PREAMBLE + b"\1\x80\x80\x80\x80\x80\0", Status.INTEGER_TOO_LONG, 9),
        (PREAMBLE + b"\1\x80\x80\x80\x80\x10", Status.INTEGER_TOO_LARGE, 9),
        (module((TYPE, vector() + b"\0")), Status.SECTION_SIZE, 11),
        (module((TYPE, b"\1")), Status.UNEXPECTED_END_OF_SECTION, 10),
        (module((TYPE, vector(b"\x61\0\0"))), Status.TYPE_FORM, 11),
        (module((TYPE, vector(b"\x60\1\x01\0"))), Status.VALUE_TYPE, 13),
        (module((TYPE, vector()), (TYPE, vector())), Status.SECTION_ORDER, 11),
        (module((IMPORT, vector()), (TYPE, vector())), Status.SECTION_ORDER, 11),
        (module((CODE, vector()), (DATA_COUNT, b"\0")), Status.SECTION_ORDER, 11),
        (module((IMPORT, vector(b"\0\0\5\0"))), Status.IMPORT_KIND, 13),
        (module((IMPORT, vector(b"\0\1\xff\0\0"))), Status.UTF8, 13),
        (module((MEMORY, vector(b"\x10\0"))), Status.LIMITS_FLAGS, 11),
        (module((MEMORY, vector(b"\1\2\1"))), Status.MINIMUM_ABOVE_MAXIMUM, 12),
        (module((MEMORY, vector(b"\0" + unsigned(65537)))), Status.MEMORY_SIZE, 12),
        (module((TABLE, vector(b"\x7f\0\0"))), Status.REFERENCE_TYPE, 11),
        (module((TABLE, vector(b"\x70\0" + unsigned(1 << 32)))), Status.TABLE_SIZE, 13),
        (module((GLOBAL, vector(b"\x7f\2\x41\0\x0b"))), Status.MUTABILITY, 12),
        (module((GLOBAL, vector(b"\x7f\0\x41\0"))), Status.UNEXPECTED_END_OF_SECTION, 15),
        (module((EXPORT, vector(b"\0\5\0"))), Status.EXPORT_KIND, 12),
        (module((EXPORT, vector(b"\0\0\0"))), Status.UNKNOWN_FUNCTION, 13),
        (module((EXPORT, vector(b"\0\1\0"))), Status.UNKNOWN_TABLE, 13),
        (module((EXPORT, vector(b"\0\2\0"))), Status.UNKNOWN_MEMORY, 13),
        (module((EXPORT, vector(b"\0\3\0"))), Status.UNKNOWN_GLOBAL, 13),
        (module((START, b"\0")), Status.UNKNOWN_FUNCTION, 10),
        (module((FUNCTION, vector(b"\0"))), Status.UNKNOWN_TYPE, 11),
        (module((ELEMENT, vector(b"\x08"))), Status.ELEMENT_SEGMENT_KIND, 11),
        (module((ELEMENT, vector(b"\1\1\0"))), Status.ELEMENT_KIND, 12),
        (module((ELEMENT, vector(b"\1\0\1\0"))), Status.UNKNOWN_FUNCTION, 14),
        (module((ELEMENT, vector(b"\0\x41\0\x0b\0"))), Status.UNKNOWN_TABLE, 12),
        (module((DATA, vector(b"\3"))), Status.DATA_SEGMENT_KIND, 11),
        (module((DATA, vector(b"\0\x41\0\x0b\0"))), Status.UNKNOWN_MEMORY, 12),
        (module((DATA, vector(b"\1\5"))), Status.UNEXPECTED_END_OF_SECTION, 12),
        (module((DATA_COUNT, b"\1")), Status.DATA_COUNT, 11),
        (module((DATA_COUNT, b"\2"), (DATA, vector(b"\1\0"))), Status.DATA_COUNT, 13),
        (module((CODE, vector(b"\2\0\x0b"))), Status.FUNCTION_CODE_COUNT, 10),
        (
            module((TYPE, vector(func_type())), (FUNCTION, vector(b"\0"))),
            Status.FUNCTION_CODE_COUNT,
            18,
        ),
        (module((CUSTOM, b"")), Status.UNEXPECTED_END_OF_SECTION, 10),
        (module((CUSTOM, b"\1\x80")), Status.UTF8, 11),
    ],
)
def test_status_and_offset(binary: bytes, status: Status, offset: int) -> None:
    loaded = load(binary)
    loaded.free()
    assert (loaded.status, loaded.error.offset) == (status, offset)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("ascii and \0", True),
        ("äöü €uro 𝄞 \u07ff\u0800\uffff\U00010000\U0010ffff".encode(), True),
        (b"12345678\x80", False),  # behind the part that is checked by eights
        (b"\xc0\x80", False),  # overlong
        (b"\xe0\x9f\xbf", False),
        (b"\xf0\x8f\xbf\xbf", False),
        (b"\xed\xa0\x80", False),  # surrogate
        (b"\xf4\x90\x80\x80", False),  # past U+10FFFF
        (b"\xf5\x80\x80\x80", False),
        (b"\xc2", False),  # cut short
        (b"\xe2\x82", False),
        (b"\xf0\x9d\x84", False),
        (b"\xe2\x82a", False),
        (b"\xfe", False),
    ],
)
def test_utf8(text: str | bytes, valid: bool) -> None:
    expected = Status.OK if valid else Status.UTF8
    assert status_of(module((CUSTOM, name(text)))) is expected


def test_utf8_agrees_with_python() -> None:
    for lead in range(0x80, 0x100):
        for second in (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF):
            for tail in (b"", b"\x80", b"\x80\xbf", b"\x80\x80\x80"):
                text = bytes([lead, second]) + tail
                try:
                    text.decode()
                    expected = Status.OK
                except UnicodeDecodeError:
                    expected = Status.UTF8
                assert status_of(module((CUSTOM, name(text)))) is expected, text


def test_duplicate_exports() -> None:
    def exports(*names: str) -> bytes:
        items = (name(n) + b"\0\0" for n in names)
        return functions(b"", before=((EXPORT, vector(*items)),))

    assert status_of(exports("a", "b", "ab", "", "ba")) is Status.OK
    loaded = load(exports("a", "b", "c", "b"))
    loaded.free()
    assert (loaded.status, loaded.error.detail) == (Status.DUPLICATE_EXPORT, 3)
    many = [f"export {i}" for i in range(3000)]
    assert status_of(exports(*many)) is Status.OK
    assert status_of(exports(*many, many[1234])) is Status.DUPLICATE_EXPORT


# -- hostile counts and limits ---------------------------------------------------------------------

HUGE = b"\xff\xff\xff\xff\x0f"  # 2**32 - 1


@pytest.mark.parametrize(
    "section", [TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, ELEMENT, CODE, DATA]
)
def test_huge_counts_allocate_nothing(section: int) -> None:
    unlimited = Limits(**dict.fromkeys(Limits.__annotations__, 4294967295))
    loaded = load(module((section, HUGE)), unlimited)
    assert loaded.native.arena_bytes < 2000
    expected = (
        Status.UNEXPECTED_END_OF_SECTION,
        Status.FUNCTION_CODE_COUNT,
        Status.LIMIT_TYPES,  # more than value types can number
    )
    assert loaded.status in expected
    loaded.free()


@pytest.mark.parametrize(
    ("binary", "limits", "status"),
    [
        (module((TYPE, vector(func_type(), func_type()))), Limits(types=1), Status.LIMIT_TYPES),
        (functions(b"", b""), Limits(functions=1), Status.LIMIT_FUNCTIONS),
        (
            module((TYPE, vector(func_type(bytes([I32] * 4))))),
            Limits(params=3),
            Status.LIMIT_PARAMS,
        ),
        (
            module((IMPORT, vector(b"\0\0\2\0\0", b"\0\0\2\0\0"))),
            Limits(imports=1),
            Status.LIMIT_IMPORTS,
        ),
        (
            module((IMPORT, vector(b"\0\0\3\x7f\0", b"\0\0\3\x7f\0"))),
            Limits(globals=1),
            Status.LIMIT_GLOBALS,
        ),
        (module((IMPORT, vector(b"\0\0\1\x70\0\0"))), Limits(tables=0), Status.LIMIT_TABLES),
        (module((IMPORT, vector(b"\4long\0\2\0\0"))), Limits(name_size=3), Status.LIMIT_NAME_SIZE),
        (module((TABLE, vector(b"\x70\0\0", b"\x70\0\0"))), Limits(tables=1), Status.LIMIT_TABLES),
        (module((MEMORY, vector(b"\0\0"))), Limits(memories=0), Status.LIMIT_MEMORIES),
        (module((GLOBAL, vector(b"\x7f\0\x41\0\x0b"))), Limits(globals=0), Status.LIMIT_GLOBALS),
        (
            functions(b"", before=((EXPORT, vector(b"\0\0\0")),)),
            Limits(exports=0),
            Status.LIMIT_EXPORTS,
        ),
        (
            module((ELEMENT, vector(b"\1\0\0", b"\1\0\0"))),
            Limits(segments=1),
            Status.LIMIT_SEGMENTS,
        ),
        (module((DATA, vector(b"\1\0", b"\1\0"))), Limits(segments=1), Status.LIMIT_SEGMENTS),
        (module((DATA_COUNT, b"\2")), Limits(segments=1), Status.LIMIT_SEGMENTS),
        (functions(b"\1" * 50), Limits(function_size=51), Status.LIMIT_FUNCTION_SIZE),
    ],
)
def test_limits(binary: bytes, limits: Limits, status: Status) -> None:
    loaded = load(binary, limits)
    loaded.free()
    assert loaded.status is status
    assert loaded.error.detail > loaded.error.detail2  # asked for, allowed


def test_custom_sections_are_bounded() -> None:
    custom = module((CUSTOM, name("")))[len(PREAMBLE) :]
    assert status_of(PREAMBLE + custom * 100_000) is Status.OK
    assert status_of(PREAMBLE + custom * 100_001) is Status.LIMIT_CUSTOM_SECTIONS


def test_limits_reject_nonsense() -> None:
    with pytest.raises(ValueError, match=r"Limits\.types must be in"):
        Limits(types=-1)
    with pytest.raises(ValueError, match=r"Limits\.params"):
        Limits(params=1 << 32)


# -- features --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("binary", "feature"),
    [
        (module((MEMORY, vector(b"\0\0", b"\0\0"))), Feature.MULTI_MEMORY),
        (module((MEMORY, vector(b"\4\0"))), Feature.MEMORY64),
        (module((MEMORY, vector(b"\3\0\1"))), Feature.THREADS),
        (module((TABLE, vector(b"\x70\4\0"))), Feature.MEMORY64),
        (functions(b"\x12\0"), Feature.TAIL_CALLS),
        (functions(b"\xfe\3\0"), Feature.THREADS),
        (functions(b"\xfc\x13"), Feature.WIDE_ARITHMETIC),
        (functions(b"\x1f\x40\0"), Feature.EXCEPTIONS),
        (functions(b"\x0a"), Feature.EXCEPTIONS),
        (functions(b"\6\x40\x0b"), Feature.LEGACY_EXCEPTIONS),
    ],
)
def test_missing_features_are_named(binary: bytes, feature: Feature) -> None:
    loaded = load(binary, features=DEFAULT_FEATURES & ~feature.mask)
    loaded.free()
    assert (loaded.status, loaded.error.detail) == (Status.UNSUPPORTED_FEATURE, feature.bit)


@pytest.mark.parametrize(
    "binary",
    [
        module((TAG, vector(b"\0\0"))),
        module((IMPORT, vector(b"\0\0\4\0\0"))),
        functions(b"\x08\0"),
    ],
)
def test_what_both_forms_of_exception_handling_have(binary: bytes) -> None:
    off = DEFAULT_FEATURES & ~Feature.EXCEPTIONS.mask & ~Feature.LEGACY_EXCEPTIONS.mask
    loaded = load(binary, features=off)
    loaded.free()
    named = Status.UNSUPPORTED_FEATURE, Feature.EXCEPTIONS.bit
    assert (loaded.status, loaded.error.detail) == named
    for form in (Feature.EXCEPTIONS, Feature.LEGACY_EXCEPTIONS):
        loaded = load(binary, features=off | form.mask)
        loaded.free()
        assert loaded.status in (Status.UNKNOWN_TYPE, Status.UNKNOWN_TAG)


@pytest.mark.parametrize(
    ("binary", "feature"),
    [
        (functions(b"\x41\0\xc0\x1a"), Feature.SIGN_EXTENSION),
        (functions(b"\x43\0\0\0\0\xfc\0\x1a"), Feature.SATURATING_CONVERSION),
        (module((TYPE, vector(func_type(b"", bytes([I32, I32]))))), Feature.MULTI_VALUE),
        (functions(b"\x02\0\x0b"), Feature.MULTI_VALUE),
        (module((TABLE, vector(b"\x6f\0\0"))), Feature.REFERENCE_TYPES),
        (module((TABLE, vector(b"\x70\0\0", b"\x70\0\0"))), Feature.REFERENCE_TYPES),
        (functions(b"\xd0\x70\x1a"), Feature.REFERENCE_TYPES),
        (module((DATA, vector(b"\1\0"))), Feature.BULK_MEMORY),
        (module((DATA_COUNT, b"\0")), Feature.BULK_MEMORY),
        (module((ELEMENT, vector(b"\1\0\0"))), Feature.BULK_MEMORY),
        (module((GLOBAL, vector(b"\x7f\0\x41\0\x41\0\x6a\x0b"))), Feature.EXTENDED_CONST),
    ],
)
def test_features_can_be_turned_off(binary: bytes, feature: Feature) -> None:
    assert status_of(binary) is Status.OK
    loaded = load(binary, features=DEFAULT_FEATURES & ~feature.mask)
    loaded.free()
    assert (loaded.status, loaded.error.detail) == (Status.UNSUPPORTED_FEATURE, feature.bit)


# -- memory ----------------------------------------------------------------------------------------


class CountingPlatform:
    """An allocator that counts, and fails from the `fail_at`-th allocation on."""

    def __init__(self, fail_at: int | None = None) -> None:
        libc = ctypes.CDLL(None)
        libc.malloc.restype = libc.realloc.restype = ctypes.c_void_p
        libc.free.argtypes = (ctypes.c_void_p,)
        libc.realloc.argtypes = ctypes.c_void_p, ctypes.c_size_t
        self.calls, self.live = 0, set[int]()
        self.fail_at = fail_at

        def allocate(size: int) -> int | None:
            return self._keep(None, libc.malloc(size) if self._allowed() else None)

        def resize(old: int | None, size: int) -> int | None:
            return self._keep(old, libc.realloc(old, size) if self._allowed() else None)

        def release(old: int | None) -> None:
            self.live.discard(old or 0)
            libc.free(old)

        address, size = ctypes.c_void_p, ctypes.c_size_t
        self._functions = (
            ctypes.CFUNCTYPE(address, size)(allocate),
            ctypes.CFUNCTYPE(address, address, size)(resize),
            ctypes.CFUNCTYPE(None, address)(release),
        )
        addresses = (ctypes.cast(f, ctypes.c_void_p).value for f in self._functions)
        self.native = Platform(
            **dict(zip(("allocate", "resize", "release"), addresses, strict=True))
        )

    def _allowed(self) -> bool:
        self.calls += 1
        return self.fail_at is None or self.calls < self.fail_at

    def _keep(self, old: int | None, new: int | None) -> int | None:
        if new:
            self.live.discard(old or 0)
            self.live.add(new)
        return new


#: Makes every scratch buffer and several chunks grow.
GROWING = functions(
    b"\x41\0" * 600 + b"\x1a" * 600 + b"\x02\x40" * 200 + b"\x0b" * 200,
    locals_=vector(*(unsigned(20) + bytes([t]) for t in (I32, I64) * 150)),
    before=((EXPORT, vector(*(name(f"name {i}") + b"\0\0" for i in range(300)))),),
)


@pytest.mark.parametrize("binary", [RICH, GROWING], ids=["rich", "growing"])
def test_out_of_memory_at_each_allocation(binary: bytes) -> None:
    platform = CountingPlatform()
    loaded = load(binary, platform=platform.native)
    assert loaded.status is Status.OK
    loaded.free()
    assert not platform.live
    for fail_at in range(1, platform.calls + 1):
        failing = CountingPlatform(fail_at)
        loaded = load(binary, platform=failing.native)
        assert loaded.status is Status.OUT_OF_MEMORY, fail_at
        loaded.free()
        assert not failing.live, fail_at


def test_malformed_modules_leak_nothing() -> None:
    for size in range(0, len(RICH), 3):
        platform = CountingPlatform()
        load(RICH[:size], platform=platform.native).free()
        assert not platform.live


# -- names -----------------------------------------------------------------------------------------


def named(subsections: bytes) -> bytes:
    return functions(b"", b"") + b"\0" + name(name("name") + subsections)


@pytest.mark.parametrize(
    ("subsections", "expected"),
    [
        (b"\1" + name(vector(b"\0" + name("zero"), b"\1" + name("one"))), b"one"),
        (b"\1" + name(vector(b"\1" + name("one"), b"\0" + name("zero"))), b"one"),  # unsorted
        (b"\0" + name(name("module")) + b"\1" + name(vector(b"\1" + name("f"))), b"f"),
        (b"", None),
        (b"\1", None),
        (b"\1\x7f", None),
        (b"\1\1\xff", None),
        (b"\1\6" + HUGE + b"\1", None),
        (b"\1" + name(vector(b"\1" + name(b"\xff"))), None),  # not UTF-8
        (b"\1" + name(vector(b"\1\x7fx")), None),
        (b"\1" + name(b"\2\0\1a"), None),
        (b"\2" + name(vector(b"\1" + name("f"))), None),  # another subsection
        (b"\xff\xff", None),
    ],
)
def test_name_section(subsections: bytes, expected: bytes | None) -> None:
    loaded = load(named(subsections))
    assert loaded.status is Status.OK
    assert loaded.function_name(1) == expected
    assert loaded.function_name(0xFFFF_FFFF) is None
    assert loaded.status is Status.OK
    loaded.free()


def test_last_of_many_bodies_must_end_with_its_section() -> None:
    sizes = [body(b"\1")] * 3
    code = join_bodies(sizes)
    binary = module(
        (TYPE, vector(func_type())), (FUNCTION, vector(b"\0", b"\0", b"\0")), (CODE, code + b"\0")
    )
    assert status_of(binary) is Status.SECTION_SIZE


def test_the_largest_number_is_a_maximum_too() -> None:
    """It once passed for no maximum at all."""
    largest = b"\xff" * 9 + b"\x01"
    binary = b"\0asm\1\0\0\0" + bytes([4, 14, 1, 0x70, 1, 0]) + largest
    with pytest.raises(ModuleError, match="table size"):
        wasmote.Module(binary)
