"""Images: position-independent native code in a file, mapped and called in place.

`format` is the container, `build` compiles native functions to one, `join` makes the code of LLVM's
object files, `loader` maps one, `signature` signs files and checks that. `library` holds the
functions that LLVM takes for granted. Loading needs neither LLVM nor a linker. Nothing here knows
of WebAssembly, but that a signature has the form of one of its sections.
"""
