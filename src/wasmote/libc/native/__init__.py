"""libc-builtin's functions in nativepy: engines call them without Python (`FuncInst.native`).

They are part of the core's image, and run on every target. `memory`, `strings`, `numbers`,
`allocation`, `printing` and `synchronization` have the functions. `access` checks pointers for
them; `format` does printf's conversions, `decimal` finds the digits of floating-point numbers, and
a `sink` takes text.

Nothing here trusts a pointer, or what it finds in memory.
"""
