# ruff: noqa: F403, F405
"""WAMR's embedding API: each function does what `wasm_export.h` says of it."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from wasmote import wamr
from wasmote.compile import compile_module
from wasmote.wamr import *


@pytest.fixture(autouse=True)
def runtime() -> Iterator[None]:
    assert wasm_runtime_init()
    yield
    wasm_runtime_destroy()


def load(text: str, **options: Any) -> WasmModule:
    binary = bytes(wasmtime.wat2wasm(f"(module {text})"))
    module = wasm_runtime_load_ex(binary, LoadArgs(**options))
    assert module is not None
    return module


def instantiate(text: str, heap: int = 0) -> ModuleInst:
    error = bytearray(200)
    inst = wasm_runtime_instantiate(load(text), 64 * 1024, heap, error)
    assert inst is not None, error
    return inst


def call(inst: ModuleInst, name: str, *cells: Any, room: int = 0) -> list[Any] | None:
    function = wasm_runtime_lookup_function(inst, name)
    assert function is not None
    argv = [*cells, *[0] * room]
    env = wasm_runtime_create_exec_env(inst, 64 * 1024)
    return argv if wasm_runtime_call_wasm(env, function, len(cells), argv) else None


def message(buffer: bytearray) -> str:
    return buffer[: buffer.index(0)].decode()


ADD = (
    '(func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))'
    '(func (export "wide") (param i64 f32 f64) (result f64 i64)'
    "  (f64.add (local.get 2) (f64.promote_f32 (local.get 1))) (local.get 0))"
    '(func (export "crash") unreachable)'
)


def test_calls_with_cells() -> None:
    inst = instantiate(ADD)
    assert call(inst, "add", 20, 22) == [42, 22]
    assert call(inst, "add", 0xFFFF_FFFF, 2) == [1, 2]
    cells = struct.unpack("<5I", struct.pack("<qfd", -5, 0.5, 2.25))
    found = call(inst, "wide", *cells)
    assert found is not None
    assert struct.unpack("<dq", struct.pack("<4I", *found[:4])) == (2.75, -5)


def test_too_few_cells_and_exceptions() -> None:
    inst = instantiate(ADD)
    assert call(inst, "add", 1) is None
    assert wasm_runtime_get_exception(inst) == (
        "Exception: invalid argument count 1, must be no smaller than 2"
    )
    assert call(inst, "crash") is None
    assert wasm_runtime_get_exception(inst) == "Exception: unreachable"
    assert call(inst, "add", 1, 2) is not None
    assert wasm_runtime_get_exception(inst) is None
    wasm_runtime_set_exception(inst, "mine")
    assert wasm_runtime_get_exception(inst) == "Exception: mine"
    wasm_runtime_clear_exception(inst)
    assert wasm_runtime_get_exception(inst) is None


def test_calls_with_values() -> None:
    inst = instantiate(ADD)
    env = wasm_runtime_get_exec_env_singleton(inst)
    function = wasm_runtime_lookup_function(inst, "wide")
    assert function is not None
    results: list[WasmVal] = []
    args = [WasmVal(WASM_I64, 7), WasmVal(WASM_F32, 0.5), WasmVal(WASM_F64, 1.0)]
    assert wasm_runtime_call_wasm_a(env, function, 2, results, 3, args)
    assert results == [WasmVal(WASM_F64, 1.5), WasmVal(WASM_I64, 7)]
    assert wasm_runtime_call_wasm_v(env, function, 2, results, 8, 0.25, 1.0)
    assert [each.of for each in results] == [1.25, 8]
    args[0].kind = WASM_I32
    assert not wasm_runtime_call_wasm_a(env, function, 2, results, 3, args)
    assert "types of the arguments" in str(wasm_runtime_get_exception(inst))


def test_calls_through_the_table() -> None:
    inst = instantiate(ADD + "(table 3 funcref) (elem (i32.const 1) func 0)")
    env = wasm_runtime_get_exec_env_singleton(inst)
    argv = [3, 4]
    assert wasm_runtime_call_indirect(env, 1, 2, argv)
    assert argv[0] == 7
    assert not wasm_runtime_call_indirect(env, 2, 2, argv)
    assert wasm_runtime_get_exception(inst) == "Exception: uninitialized element"
    assert not wasm_runtime_call_indirect(env, 3, 2, argv)
    assert wasm_runtime_get_exception(inst) == "Exception: undefined element"


def test_what_cannot_be_loaded_or_made() -> None:
    error = bytearray(128)
    assert wasm_runtime_load(b"\0nothing", error) is None
    assert message(error).startswith("WASM module load failed: magic header not detected")
    short = bytearray(12)
    assert wasm_runtime_load(b"\0nothing", short) is None
    assert message(short) == "WASM module"
    module = load('(import "env" "memory" (memory 1))')
    assert wasm_runtime_instantiate(module, 0, 0, error) is None
    assert message(error).startswith("WASM module instantiate failed: unknown import: env.memory")
    module = load("(func unreachable) (start 0)")
    assert wasm_runtime_instantiate(module, 0, 0, error) is None
    assert message(error) == "WASM module instantiate failed: unreachable"


def test_native_functions() -> None:
    seen: list[Any] = []

    def save(env: ExecEnv, data: memoryview, name: str) -> int:
        seen.append((bytes(data), name, wasm_runtime_get_function_attachment(env)))
        return len(data)

    def fail(env: ExecEnv) -> None:
        wasm_runtime_set_exception(wasm_runtime_get_module_inst(env), "native trouble")

    def raw(env: ExecEnv, cells: memoryview) -> None:
        cells[0] = cells[0] * 2

    symbols = [NativeSymbol("save", save, "(*~$)i", "attached"), NativeSymbol("fail", fail)]
    assert wasm_runtime_register_natives("env", symbols)
    assert wasm_runtime_register_natives_raw("env", [NativeSymbol("raw", raw, "(i)i")])
    inst = instantiate(
        '(import "env" "_save" (func $save (param i32 i32 i32) (result i32)))'
        '(import "env" "fail" (func $fail))'
        '(import "env" "raw" (func $raw (param i32) (result i32)))'
        '(memory 1) (data (i32.const 8) "hello\\00")'
        '(func (export "save") (param i32) (result i32)'
        "  (call $save (local.get 0) (i32.const 2) (i32.const 8)))"
        '(func (export "fail") (call $fail) unreachable)'
        '(func (export "raw") (param i32) (result i32) (call $raw (local.get 0)))'
    )
    assert call(inst, "save", 9) == [2]
    assert seen == [(b"el", "hello", "attached")]
    assert call(inst, "save", 65535) is None
    assert wasm_runtime_get_exception(inst) == "Exception: out of bounds memory access"
    assert call(inst, "fail") is None
    assert wasm_runtime_get_exception(inst) == "Exception: native trouble"
    assert call(inst, "raw", 21) == [42]
    assert wasm_runtime_is_import_func_linked("env", "save")
    assert wasm_runtime_unregister_natives("env", symbols)
    assert not wasm_runtime_unregister_natives("env", symbols)
    assert not wasm_runtime_is_import_func_linked("env", "save")
    assert wasm_runtime_is_import_func_linked("wasi_snapshot_preview1", "fd_write")


def test_a_native_function_raises_what_it_likes() -> None:
    def fail(env: ExecEnv) -> None:
        raise KeyError("mine")

    wasm_runtime_register_natives("env", [NativeSymbol("fail", fail)])
    inst = instantiate('(import "env" "fail" (func $f)) (func (export "go") call $f)')
    with pytest.raises(KeyError, match="mine"):
        call(inst, "go")


def test_natives_know_their_environment() -> None:
    seen: list[Any] = []
    wasm_runtime_register_natives(
        "env", [NativeSymbol("note", lambda env: seen.append((env, env.user_data)))]
    )
    text = '(import "env" "note" (func $n)) (func $go (export "go") call $n) (start $go)'
    inst = instantiate(text)
    assert seen[0][0].module_inst is inst
    env = wasm_runtime_create_exec_env(inst)
    wasm_runtime_set_user_data(env, "data")
    go = wasm_runtime_lookup_function(inst, "go")
    assert go is not None and wasm_runtime_call_wasm(env, go, 0, [])
    assert seen[1] == (env, "data")


def test_wrong_letters_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert not wasm_runtime_register_natives("env", [NativeSymbol("f", print, "(q)")])
    assert "no letter 'q'" in capsys.readouterr().err


MALLOC = (
    '(memory (export "memory") 1) (global $top (mut i32) (i32.const 64))'
    '(func (export "malloc") (param i32) (result i32) global.get $top'
    "  (global.set $top (i32.add (global.get $top) (local.get 0))))"
    '(func (export "free") (param i32) (global.set $top (local.get 0)))'
)


def test_memory_of_the_module() -> None:
    inst = instantiate(MALLOC)
    offset = wasm_runtime_module_dup_data(inst, b"hello\0", 6)
    assert offset == 64
    view = wasm_runtime_addr_app_to_native(inst, offset)
    assert view is not None and bytes(view[:5]) == b"hello"
    assert wasm_runtime_addr_native_to_app(inst, view) == 64
    assert wasm_runtime_validate_app_addr(inst, offset, 6)
    assert wasm_runtime_validate_app_str_addr(inst, offset)
    assert wasm_runtime_validate_native_addr(inst, view, 6)
    assert not wasm_runtime_validate_native_addr(inst, memoryview(bytearray(9)), 1)
    assert not wasm_runtime_validate_app_addr(inst, 65536, 1)
    assert wasm_runtime_get_exception(inst) == "Exception: out of bounds memory access"
    assert wasm_runtime_addr_app_to_native(inst, 65536) is None
    assert wasm_runtime_get_app_addr_range(inst, 5) == (0, 65536)
    wasm_runtime_module_free(inst, offset)
    assert wasm_runtime_module_malloc(inst, 1)[0] == 64


def test_the_app_heap_is_for_modules_without_malloc() -> None:
    inst = instantiate('(memory (export "memory") 1)', heap=1000)
    offset, view = wasm_runtime_module_malloc(inst, 10)
    assert offset == 65552 and view is not None
    assert wasm_runtime_module_malloc(inst, 900)[0] == 65584
    assert wasm_runtime_module_malloc(inst, 900) == (0, None)
    assert wasm_runtime_get_exception(inst) == "Exception: out of memory"


def test_memories_globals_and_tables() -> None:
    inst = instantiate(
        '(memory (export "memory") 1 3) (global (export "g") (mut i64) (i64.const 5))'
        '(table (export "t") 2 8 funcref) (elem (i32.const 1) func 0) (func (export "f"))'
    )
    memory = wasm_runtime_lookup_memory(inst, "memory")
    assert memory is not None
    assert wasm_runtime_lookup_memory(inst, "other") is None
    assert (wasm_memory_get_cur_page_count(memory), wasm_memory_get_max_page_count(memory)) == (
        1,
        3,
    )
    assert wasm_memory_get_bytes_per_page(memory) == 65536
    assert not wasm_memory_get_shared(memory)
    assert wasm_memory_enlarge(memory, 1)
    failures: list[Any] = []
    wasm_runtime_set_enlarge_mem_error_callback(lambda *args: failures.append(args), "data")
    assert wasm_runtime_enlarge_memory(inst, 1)
    assert not wasm_runtime_enlarge_memory(inst, 1)
    assert failures == [(1, 3 * 65536, 0, wamr.MAX_SIZE_REACHED, inst, None, "data")]
    variable = wasm_runtime_get_export_global_inst(inst, "g")
    assert variable is not None
    assert (variable.kind, variable.is_mutable, variable.data.value) == (WASM_I64, True, 5)
    table = wasm_runtime_get_export_table_inst(inst, "t")
    assert table is not None
    assert (table.elem_kind, table.cur_size, table.max_size) == (WASM_FUNCREF, 2, 8)
    assert wasm_table_get_func_inst(inst, table, 1) is wasm_runtime_lookup_function(inst, "f")
    assert wasm_table_get_func_inst(inst, table, 0) is None
    assert wasm_table_get_func_inst(inst, table, 9) is None


def test_what_a_module_says_of_itself() -> None:
    module = load(
        '(import "env" "f" (func (param i32))) (memory (export "memory") 1)'
        '(@custom "notes" "text")',
        name="named",
    )
    assert wasm_runtime_get_module_name(module) == "named"
    assert wasm_runtime_set_module_name(module, "other")
    assert wasm_runtime_get_module_name(module) == "other"
    assert wasm_runtime_get_import_count(module) == wasm_runtime_get_export_count(module) == 1
    found = wasm_runtime_get_import_type(module, 0)
    assert (found.module_name, found.name, found.kind, found.linked) == ("env", "f", 0, False)
    assert wasm_func_type_get_param_valkind(found.type, 0) == WASM_I32  # type: ignore[arg-type]
    exported = wasm_runtime_get_export_type(module, 0)
    assert (exported.name, exported.kind) == ("memory", wamr.WASM_IMPORT_EXPORT_KIND_MEMORY)
    assert wasm_memory_type_get_max_page_count(exported.type) == 0xFFFF_FFFF  # type: ignore[arg-type]
    assert wasm_runtime_get_custom_section(module, "notes") == b"text"
    assert wasm_runtime_get_custom_section(module, "none") is None
    assert not wasm_runtime_resolve_symbols(module)


def test_packages() -> None:
    module = load(ADD)
    image = compile_module(module.module).encode()
    assert wasm_runtime_get_file_package_type(image) == PackageType.WASM_MODULE_AOT
    assert wasm_runtime_get_module_package_type(module) == PackageType.WASM_MODULE_BYTECODE
    assert wasm_runtime_get_module_package_version(module) == 1
    assert wasm_runtime_is_xip_file(image) and not wasm_runtime_is_xip_file(module.binary)
    version = wasm_runtime_get_current_package_version(PackageType.WASM_MODULE_AOT)
    assert wasm_runtime_get_file_package_version(image) == version
    loaded = wasm_runtime_load(image)
    assert loaded is not None
    inst = wasm_runtime_instantiate(loaded)
    assert inst is not None
    assert call(inst, "add", 2, 3) == [5, 3]


def test_modules_that_import_each_other() -> None:
    assert wasm_runtime_register_module("lib", load(ADD))
    assert not wasm_runtime_register_module("lib", load(ADD))
    assert wasm_runtime_find_module_registered("lib") is not None
    assert wasm_runtime_find_module_registered("other") is None
    asked = []

    def reader(kind: int, name: str) -> bytes | None:
        asked.append((kind, name))
        text = '(module (import "lib" "add" (func $f (param i32 i32) (result i32))) '
        text += '(func (export "twice") (param i32) (result i32)'
        text += " (call $f (local.get 0) (local.get 0))))"
        return bytes(wasmtime.wat2wasm(text)) if name == "mid" else None

    wasm_runtime_set_module_reader(reader)
    inst = instantiate(
        '(import "mid" "twice" (func $f (param i32) (result i32)))'
        '(func (export "go") (param i32) (result i32) (call $f (local.get 0)))'
    )
    assert call(inst, "go", 21) == [42]
    assert asked == [(PackageType.WASM_MODULE_BYTECODE, "mid")]


HELLO = """
(import "wasi_snapshot_preview1" "fd_write"
  (func $fd_write (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(memory (export "memory") 1) (data (i32.const 16) "hello\\0a")
(func (export "_start")
  (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
  (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
  (call $exit (i32.const 3)))
"""


def test_a_wasi_program(tmp_path: Path) -> None:
    module = load(HELLO)
    with open(tmp_path / "out", "wb") as out:
        wasm_runtime_set_wasi_args_ex(module, argv=["hello"], stdoutfd=out.fileno())
        inst = wasm_runtime_instantiate(module)
        assert inst is not None and wasm_runtime_is_wasi_mode(inst)
        assert wasm_runtime_lookup_wasi_start_function(inst) is not None
        assert wasm_application_execute_main(inst)
        assert wasm_runtime_get_wasi_exit_code(inst) == 3
        assert wasm_runtime_get_exception(inst) is None
        wasm_runtime_deinstantiate(inst)
    assert (tmp_path / "out").read_bytes() == b"hello\n"


OPENS_A_SOCKET = """
(import "wasi_snapshot_preview1" "sock_open"
  (func $open (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "sock_bind" (func $bind (param i32 i32) (result i32)))
(memory (export "memory") 1) (data (i32.const 4) "\\7f\\00\\00\\01")
(func (export "bind") (result i32)
  (drop (call $open (i32.const -1) (i32.const 0) (i32.const 1) (i32.const 64)))
  (call $bind (i32.load (i32.const 64)) (i32.const 0)))
"""


@pytest.mark.parametrize(("pool", "errno"), [(["127.0.0.1/8"], 0), (["10.0.0.0/8"], 2), ([], 2)])
def test_the_pool_of_addresses(pool: list[str], errno: int) -> None:
    module = load(OPENS_A_SOCKET)
    wasm_runtime_set_wasi_addr_pool(module, pool)
    wasm_runtime_set_wasi_ns_lookup_pool(module, ["*.example.com"])
    wasm_runtime_set_wasi_args(module, argv=["sockets"])
    inst = wasm_runtime_instantiate(module)
    assert inst is not None
    cells = [0]
    env = wasm_runtime_create_exec_env(inst, 64 * 1024)
    function = wasm_runtime_lookup_function(inst, "bind")
    assert function is not None
    assert wasm_runtime_call_wasm(env, function, 0, cells)
    assert cells == [errno]
    wasm_runtime_deinstantiate(inst)


def test_a_pool_that_makes_no_sense() -> None:
    module = load(OPENS_A_SOCKET)
    wasm_runtime_set_wasi_addr_pool(module, ["127.0.0.1/33"])
    error = bytearray(128)
    assert wasm_runtime_instantiate(module, error_buf=error) is None
    assert b"address pool: '127.0.0.1/33' is not an address" in error


def test_wasi_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="expected GUEST::HOST"):
        wasm_runtime_set_wasi_args(load(""), map_dir_list=["x"])
    with pytest.raises(ValueError, match="expected NAME=VALUE"):
        wasm_runtime_set_wasi_args(load(""), env=["x"])


def test_a_c_main_gets_its_arguments() -> None:
    text = MALLOC + (
        '(func (export "main") (param i32 i32) (result i32)'
        "  (i32.add (i32.mul (local.get 0) (i32.const 1000))"
        "    (i32.load8_u (i32.load offset=4 (local.get 1)))))"
    )
    inst = instantiate(text)
    assert wasm_application_execute_main(inst, ["prog", "A"])
    assert wasm_runtime_get_wasi_exit_code(inst) == 2065
    assert not wasm_application_execute_main(instantiate(""), [])


def test_functions_by_words(capsys: pytest.CaptureFixture[str]) -> None:
    inst = instantiate(ADD)
    assert wasm_application_execute_func(inst, "add", ["1", "0x10"])
    assert capsys.readouterr().out == "0x11:i32\n"
    assert not wasm_application_execute_func(inst, "none", [])
    assert wasm_runtime_get_exception(inst) == "Exception: lookup function none failed"
    assert not wasm_application_execute_func(inst, "add", ["1"])
    assert "invalid input argument count" in str(wasm_runtime_get_exception(inst))


def test_contexts_are_destroyed_with_their_instance() -> None:
    gone: list[Any] = []
    key = wasm_runtime_create_context_key(lambda inst, ctx: gone.append(ctx))
    assert key is not None
    inst = instantiate("")
    wasm_runtime_set_context(inst, key, "mine")
    assert wasm_runtime_get_context(inst, key) == "mine"
    others = [wasm_runtime_create_context_key() for _ in range(8)]
    assert others[-1] is None
    wasm_runtime_deinstantiate(inst)
    assert gone == ["mine"]
    for each in (key, *others[:-1]):
        assert each is not None
        wasm_runtime_destroy_context_key(each)


def test_threads_have_environments_of_their_own() -> None:
    inst = instantiate(ADD)
    env = wasm_runtime_get_exec_env_singleton(inst)
    wasm_runtime_set_max_thread_num(2)

    def work(env: ExecEnv, arg: object) -> object:
        argv = [arg, 1]
        function = wasm_runtime_lookup_function(env.module_inst, "add")
        assert function is not None and wasm_runtime_call_wasm(env, function, 2, argv)
        return argv[0]

    threads = [wasm_runtime_spawn_thread(env, work, n) for n in (1, 2)]
    assert [wasm_runtime_join_thread(t) for t in threads if t is not None] == [2, 3]


def test_instructions_can_be_limited() -> None:
    assert wasm_runtime_full_init(RuntimeInitArgs(instruction_metering=True))
    inst = instantiate('(func (export "spin") (loop (br 0)))' + ADD)
    env = wasm_runtime_get_exec_env_singleton(inst)
    wasm_runtime_set_instruction_count_limit(env, 1000)
    assert call(inst, "spin") is None
    assert wasm_runtime_get_exception(inst) == "Exception: instruction limit exceeded"
    wasm_runtime_set_instruction_count_limit(env, -1)
    assert call(inst, "add", 1, 2) == [3, 2]
    wasm_runtime_destroy()


def test_call_stacks() -> None:
    inst = instantiate('(func $inner unreachable) (func (export "outer") call $inner)')
    env = wasm_runtime_get_exec_env_singleton(inst)
    assert call(inst, "outer") is None
    lines = wasm_runtime_dump_call_stack_to_buf(env).splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == ["inner", "outer"]
    assert wasm_runtime_get_call_stack_buf_size(env) == len("\n".join(lines)) + 2
    assert [each.function_name for each in wasm_copy_callstack(env, 5, 1)] == ["outer"]


def test_a_terminated_instance_stays_so() -> None:
    inst = instantiate(ADD)
    wasm_runtime_terminate(inst)
    assert call(inst, "add", 1, 2) is None
    assert wasm_runtime_get_exception(inst) == "Exception: terminated by user"


def test_running_modes() -> None:
    assert wasm_runtime_is_running_mode_supported(RunningMode.MODE_INTERP)
    assert not wasm_runtime_is_running_mode_supported(RunningMode.MODE_FAST_JIT)
    assert not wasm_runtime_set_default_running_mode(RunningMode.MODE_FAST_JIT)
    assert wasm_runtime_set_default_running_mode(RunningMode.MODE_INTERP)
    inst = instantiate(ADD)
    assert wasm_runtime_get_running_mode(inst) is RunningMode.MODE_INTERP


def test_everything_is_exported() -> None:
    assert all(hasattr(wamr, name) for name in wamr.__all__)
    assert len(wasm_runtime_get_version()) == 3


def test_programs_print_allocate_and_start_threads() -> None:
    text = """
      (import "env" "pthread_create" (func $create (param i32 i32 i32 i32) (result i32)))
      (import "env" "pthread_join" (func $join (param i32 i32) (result i32)))
      (import "env" "malloc" (func $malloc (param i32) (result i32)))
      (memory (export "memory") 1 1 shared) (table 2 funcref) (elem (i32.const 0) $double $fail)
      (func $double (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
      (func $fail (param i32) (result i32) (unreachable))
      (func (export "go") (param $place i32) (result i32)
        (if (i32.lt_u (call $malloc (i32.const 100)) (i32.const 65536)) (then unreachable))
        (if (call $create (i32.const 8) (i32.const 0) (local.get $place) (i32.const 21))
          (then (return (i32.const -1))))
        (drop (call $join (i32.load (i32.const 8)) (i32.const 12)))
        (i32.load (i32.const 12)))"""
    inst = instantiate(text, heap=8192)
    assert call(inst, "go", 0) == [42]
    assert call(inst, "go", 1) is None
    assert wasm_runtime_get_exception(inst) == "Exception: unreachable"
    wasm_runtime_deinstantiate(inst)
    assert inst.threads is not None and len(inst.threads) == 0
