"""Exceptions as clang compiles those of C++, in both forms: destructors, catches, rethrows."""

import subprocess
import sys
from pathlib import Path

import pytest

from wasmote import Instance, Module, Tag, TagType, ValType, WasmException

pytest.importorskip("ziglang")

#: With what the library would have. Unwinding is WebAssembly's business.
SOURCE = """
extern "C" {
void *__cxa_begin_catch(void *p) { return p; }
void __cxa_end_catch() {}
int __gxx_wasm_personality_v0(...) { return 0; }
int log(int);
}
namespace std { [[noreturn]] void terminate() noexcept { __builtin_trap(); } }

static void raise(void *object) { __builtin_wasm_throw(0, object); }

struct Guard {
  int number;
  ~Guard() { log(number); }
};

__attribute__((noinline)) static int work(int i) {
  Guard guard{i};
  if (i > 3) raise(&guard);
  return log(100 + i);
}

__attribute__((noinline)) static int nested(int i) {
  Guard outer{1000 + i};
  try {
    Guard inner{2000 + i};
    return work(i);
  } catch (...) {
    log(-i);
    if (i == 5) __builtin_wasm_rethrow();
  }
  return 7;
}

extern "C" __attribute__((export_name("run"))) int run(int n) {
  int total = 0;
  for (int i = 2; i < n; i++) {
    try {
      total += nested(i);
    } catch (...) {
      total += 10000;
    }
  }
  return total;
}

extern "C" __attribute__((export_name("escape"))) int escape(int i) {
  Guard guard{9};
  return work(i);
}
"""


@pytest.fixture(scope="module", params=["legacy", "standard"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Module:
    folder = tmp_path_factory.mktemp("cpp")
    (folder / "program.cpp").write_text(SOURCE)
    legacy = str(request.param == "legacy").lower()
    zig = [sys.executable, "-m", "ziglang"]
    compiler = [*zig, "c++", "-target", "wasm32-freestanding", "-mcpu=generic+exception_handling"]
    options = ["-O1", "-fwasm-exceptions", "-mllvm", f"-wasm-use-legacy-eh={legacy}"]
    run([*compiler, *options, "-c", "program.cpp", "-o", "program.o"], folder)
    linker = [*zig, "wasm-ld", "--no-entry", "--allow-undefined"]
    run([*linker, "program.o", "-o", "program.wasm"], folder)
    return Module(folder / "program.wasm")


def run(command: list[str], folder: Path) -> None:
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_a_cpp_program(program: Module, engine: str) -> None:
    logged: list[int] = []

    def log(number: int) -> int:
        logged.append(number)
        return number

    tag = Tag(TagType((ValType.I32,)))
    imports = {"env": {"__cpp_exception": tag, "log": log}}
    exports = Instance(program, imports, engine=engine).exports
    assert exports.run(7) == 102 + 103 + 7 + 10_000 + 7
    assert logged == [
        *(102, 2, 2002, 1002),
        *(103, 3, 2003, 1003),
        *(4, 2004, -4, 1004),
        *(5, 2005, -5, 1005),
        *(6, 2006, -6, 1006),
    ]
    logged.clear()
    with pytest.raises(WasmException) as caught:
        exports.escape(4)
    assert caught.value.tag == tag
    assert logged == [4, 9]
