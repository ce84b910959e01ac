"""The ahead-of-time compiler: from a module to an image of native code. Needs the extra `build`.

- `source`: what the compiler knows of a module; `reading`: its instructions;
- `meanings`, `templates`: each instruction's semantics as LLVM IR, from the definitions in `isa`;
- `function`, `instructions/`: a function's body as IR; `unit`: the text of all of them, with
  `runtime` and `calls`, the functions that every image has; `frame`: offsets of the core's
  structures;
- `locations`: which instruction code comes from, for LLVM to carry along; `debug_lines` reads what
  became of that, for backtraces; `source_lines`: the same for native tools, with source lines;
- `options`: what the compiler is told; `partition`: how a module is divided into parts that are
  compiled one by one, with `scan` and `recursion`, what is known of the whole for that;
- `wide_products` and `product_functions` find products of 128 bits, which WebAssembly spells out;
- `spilled`: arguments without a register, in modules with tail calls;
- `static_tables`, `table_calls`: tables that never change, and calls through them;
- `pipeline`: LLVM, from a part to an object file; `workers` and `worker`: processes that do that;
- `processor`, `passes`, `llvm_options`: what LLVM has of these, by name; `messages`: what it says;
  `stack_usage` finds there how much of the native stack functions take;
- `compiler`: from a module to an image; `strip`: the module that an image carries.

What runs the result is `wasmote.aot`. Nothing that runs modules may import this package.
"""

from wasmote.compile.compiler import Options, compile_module

__all__ = ["Options", "compile_module"]
