"""What is compiled for each target: the machine, the size of pointers, and nothing left outside."""

import io
import os
import re
from functools import cache
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

import wasmote
from wasmote.core import structs
from wasmote.core.decode.module import module_load
from wasmote.host.core_image import exported_functions
from wasmote.image.build import build_object
from wasmote.nativepy import TARGETS, native, ptr, sizeof, usize
from wasmote.nativepy.types import Struct

from .support import compile_ir

#: Helpers of compiler-rt (and libgcc): 64-bit arithmetic on 32-bit machines.
COMPILER_RT = re.compile(r"__(u?div|u?mod|fix(uns)?[sd]f|float(un)?)(di3|di|disf|didf)$")
#: Helpers of libatomic (and compiler-rt): 8 bytes at once on 32-bit machines.
ATOMIC = re.compile(
    r"__atomic_(load|store|exchange|compare_exchange|fetch_(add|sub|and|or|xor))_8$"
)
#: RV32 has no instructions that round floats; a board's C library supplies these.
ROUNDING = {"riscv32": {"ceil", "floor", "trunc", "roundeven"}}


def parse(raw):
    return ELFFile(io.BytesIO(raw))


@pytest.fixture(params=list(TARGETS))
def compiled(request):
    """A target and what was compiled for it."""
    return compile_part(request.param)


@cache
def compile_part(name):
    """The decoder; on targets that nothing else tests, the whole core."""
    target = TARGETS[name]
    core = [f for f in exported_functions() if not f.function.__module__.startswith("wasmote.host")]
    functions = [module_load] if target.pointer == 8 else core
    return target, parse(build_object(functions, target, level=0))


def test_machine_and_class(compiled):
    target, elf = compiled
    machines = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64", "thumbv7em": "EM_ARM"}
    assert elf["e_machine"] == machines.get(target.name.partition("-")[0], "EM_RISCV")
    assert elf.elfclass == target.pointer * 8
    assert elf.little_endian


def test_refers_to_nothing_but_arithmetic_helpers(compiled):
    target, elf = compiled
    symbols = elf.get_section_by_name(".symtab").iter_symbols()
    outside = {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF" and s.name}
    left = {name for name in outside if not (COMPILER_RT.match(name) or ATOMIC.match(name))}
    assert left <= ROUNDING.get(target.name, set())
    if target.pointer == 8:
        assert not outside


def test_has_no_data_of_its_own(compiled):
    _, elf = compiled
    for section in elf.iter_sections():
        assert not (section["sh_flags"] & 1 and section["sh_size"]), section.name


def test_code_needs_no_relocation_by_an_absolute_address(compiled):
    """Relocations of text and constants are relative, but for what a 32-bit linker resolves."""
    target, elf = compiled
    absolute = {"x86_64-linux": {1, 10, 11}, "aarch64-linux": {257, 258}}.get(target.name)
    if absolute is None:
        pytest.skip("images are linked for 64-bit targets")
    for section in elf.iter_sections():
        if section["sh_type"] == "SHT_RELA":
            place = elf.get_section(section["sh_info"]).name
            if place.startswith((".text", ".rodata")):
                kinds = {relocation["r_info_type"] for relocation in section.iter_relocations()}
                assert not kinds & absolute, place


def test_structs_of_the_core_shrink_with_the_pointer():
    for value in vars(structs).values():
        if isinstance(value, Struct):
            assert value.size(4) <= value.size(8)
    for name in ("Module", "Instance", "Exec", "FuncInst", "Platform"):
        layout = getattr(structs, name)
        assert layout.size(4) < layout.size(8), name


@native(export="measure")
def measure(p: ptr[structs.Module]) -> usize:
    return usize(p + 1) - usize(p) - sizeof(structs.Module) + sizeof(structs.Module)


@pytest.mark.parametrize("name", TARGETS)
def test_pointers_step_by_the_size_on_the_target(name):
    target = TARGETS[name]
    text = compile_ir(measure, target=target)
    assert f"i{target.pointer * 8} {structs.Module.size(target.pointer)}" in text


def test_debug_information_names_the_python_lines_of_the_core():
    elf = parse(build_object((module_load,), TARGETS["x86_64-linux"], level=1))
    debug = elf.get_dwarf_info()
    unit = next(iter(debug.iter_CUs()))
    assert unit.get_top_DIE().attributes["DW_AT_producer"].value == b"nativepy"
    program = debug.line_program_for_CU(unit)
    folders = [b"", *program["include_directory"]]
    files = [os.path.join(folders[f.dir_index], f.name).decode() for f in program["file_entry"]]
    source = Path(wasmote.__file__).parents[1]
    assert "wasmote/core/decode/module.py" in files
    lengths = {file: len((source / file).read_text().splitlines()) for file in files}
    rows = [entry.state for entry in program.get_entries() if entry.state is not None]
    assert len(rows) > 1000
    for row in rows:
        assert 0 <= row.line <= lengths[files[row.file - 1]]
    functions = {
        die.attributes["DW_AT_name"].value
        for die in unit.iter_DIEs()
        if die.tag == "DW_TAG_subprogram" and "DW_AT_name" in die.attributes
    }
    assert b"module_load" in functions
