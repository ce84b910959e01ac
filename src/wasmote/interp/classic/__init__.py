"""The classic interpreter: runs the bytes of the module as they are, and is small in memory.

`side_table` is what is kept of a function, `prepare` makes it at the function's first call;
`registers` is what a handler is and how it reads its operands, `immediates` how it reads what
follows its opcode; `handlers_*` make the handlers, one per opcode, from `isa`; `opcodes` puts them
in order; `exceptions` and `unwind` deal with clauses that catch; `entry` runs a function for the
host.

A frame, in 32-bit cells from `fp`: parameters, four header cells, locals, operands. The header says
where the caller goes on: offset in the binary, distance to its frame, position in its side table,
index of its function. Arguments are computed where the callee's frame will start, so a call moves
nothing.

Every value is on the operand stack in memory. After an instruction that pushed an integer or a
reference it is also in the accumulator `r`, a float in `f`, and control goes on with the *cached*
handler of the next opcode, which reads its topmost operand there instead of in memory. Any other
instruction goes on with the *plain* handler. So each opcode has two places in the table of
handlers.

Loads and stores know memory 0 with 32-bit addresses only, whose start and size are in registers;
what is not within it, `handlers_any_memory` does.

Why the side table is not a by-product of validation: a function that is never called needs none
(of CPython's functions, one in five is called in a short program), and plain validation stays as
fast.
"""
