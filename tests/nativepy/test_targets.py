"""What is compiled for each target: the machine, the size of pointers, and nothing left outside."""

import io
import os
from functools import cache
from pathlib import Path

import llvmlite.binding as llvmlite
import pytest
from elftools.elf.elffile import ELFFile

import wasmote
from wasmote.compile.meanings import meaning_of
from wasmote.compile.templates import templated_instructions
from wasmote.core import structs
from wasmote.core.decode.module import module_load
from wasmote.host.core_image import exported_functions
from wasmote.image.build import build_object
from wasmote.image.library import find
from wasmote.image.relocations import OWN_ADDRESS
from wasmote.nativepy import TARGETS, llc, native, ptr, sizeof, usize
from wasmote.nativepy.types import Struct

from .support import compile_ir


def parse(raw):
    return ELFFile(io.BytesIO(raw))


@pytest.fixture(params=list(TARGETS))
def compiled(request):
    """A target and what was compiled for it."""
    return compile_part(request.param)


@cache
def compile_part(name):
    """The decoder, and each instruction's meaning: what asks most of a machine, in little time."""
    target = TARGETS[name]
    if target.external and not llc.is_installed():
        pytest.skip(f"needs llc {llc.VERSION} (Debian: apt install llvm-{llc.VERSION})")
    meanings = [
        meaning_of(instruction, lane, f"op.{instruction.opcode:x}")
        for instruction, lane in templated_instructions()
        if not lane
    ]
    return target, parse(build_object([module_load, *meanings], target, level=0))


def test_the_whole_core_is_well_typed():
    """With addresses of 4 bytes, and handlers as one switch; LLVM only reads it."""
    core = [f for f in exported_functions() if not f.function.__module__.startswith("wasmote.host")]
    text = compile_ir(*core, target=TARGETS["thumbv6m"])
    llvmlite.parse_assembly(text).verify()


MACHINES = {
    "x86_64-linux": "EM_X86_64", "aarch64-linux": "EM_AARCH64", "i386-linux": "EM_386",
    "riscv64-linux": "EM_RISCV", "riscv32": "EM_RISCV", "armv7": "EM_ARM", "thumbv6m": "EM_ARM",
    "thumbv7em": "EM_ARM", "mipsel-linux": "EM_MIPS", "mips-linux": "EM_MIPS",
    "xtensa": "EM_XTENSA",
}  # fmt: skip


def test_machine_and_class(compiled):
    target, elf = compiled
    assert elf["e_machine"] == MACHINES[target.name]
    assert elf.elfclass == target.pointer * 8
    assert elf.little_endian != target.big_endian


def test_refers_to_nothing_but_the_library(compiled):
    """What a machine has no instruction for, and LLVM takes for granted: see `image.library`."""
    target, elf = compiled
    symbols = elf.get_section_by_name(".symtab").iter_symbols()
    outside = {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF" and s.name}
    outside -= set(OWN_ADDRESS)
    assert set(find(outside)) == outside
    if target.pointer == 8:
        assert outside <= {"memcpy", "memmove", "memset"}


def test_has_no_data_of_its_own(compiled):
    _, elf = compiled
    for section in elf.iter_sections():
        assert not (section["sh_flags"] & 1 and section["sh_size"]), section.name


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
