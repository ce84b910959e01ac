"""Runs compiled modules: what native code of an image needs at run time.

`structs` is what an instance of a compiled module has in memory; `helpers` lists the functions of
the core that compiled code calls, through a table in that structure; `run` enters native code and
makes an instance ready for it; `trace` finds its frames for a backtrace. The compiler itself is
`wasmote.compile`; nothing here needs it, or LLVM.
"""
