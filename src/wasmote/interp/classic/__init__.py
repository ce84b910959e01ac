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

The topmost operand is only in an accumulator: `r` for integers and references, `f` for floats. The
others, and vectors, are on the operand stack in memory. The *state* says whether there is such an
operand and of which type; each has a part of the table of handlers, so that an instruction has a
handler for the state that suits it. In any other state its place holds a handler of `moves`, which
stores or loads the operand and goes on with the instruction. A constant of one byte on top of an
operand of its type is a state, too: the operation that follows reads it from the code.

Whatever may look at the stack from outside (a call, the collector, a backtrace) is done by handlers
of the state in which all operands are stored.

Loads and stores know memory 0 with 32-bit addresses only, whose start and size are in registers;
what is not within it, `handlers_any_memory` does.

Why the side table is not a by-product of validation: a function that is never called needs none
(of CPython's functions, one in five is called in a short program), and plain validation stays as
fast.
"""
