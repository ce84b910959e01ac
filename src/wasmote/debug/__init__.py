"""Native code for native tools: perf and gdb see WebAssembly functions and source lines.

- `functions`: the compiled functions of a module, with the lines that their code comes from;
- `perf`: writes what perf reads, a map of symbols and a file of code (jitdump);
- `gdb`: tells gdb of code, through its interface for compilers at run time; `elf` and `dwarf` write
  the object file that it reads then, `library` what it finds the interface in.

Nothing here is loaded unless somebody asks for it. For Linux.
"""
