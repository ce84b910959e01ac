"""Images: position-independent native code in a file, mapped and called in place.

`format` is the container, `build` compiles native functions to one, `link` makes one of LLVM's
object file, `loader` maps one, `signature` signs files and checks that. `runtime` holds the few
functions that LLVM takes for granted. Loading needs neither LLVM nor a linker. Nothing here knows
of WebAssembly, but that a signature has the form of one of its sections.
"""
