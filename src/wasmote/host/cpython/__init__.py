"""The boundary to CPython: calls between Python and WebAssembly without ctypes in between.

`structs` lays out what both sides share. `objects`, `activation`, `convert` and `call` are
nativepy: they talk to CPython's C API through function pointers and become part of the core's
image. `binding` is ordinary Python: it loads the image, fills in the pointers and makes the types.
Nothing here knows of modules, imports or the names of exports; that is `wasmote.api`.
"""
