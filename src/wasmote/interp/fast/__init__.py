"""The fast interpreter: translates each function to register-based extended bytecode, then runs
that.

`bytecode` is the inventory of extended instructions and their numbers; `registers` what a handler
is and how it reads its operands; `handlers_*` make the handlers from `isa`; `stack`, `emit`,
`control` and `translate` are the translator;
`functions` knows which code is whose; `tier` lets compiled code take over;
`unwind` goes where an exception is caught; `entry` runs a function for the host.

A frame, in 32-bit cells from `fp`: parameters, two header cells (return offset, distance to the
caller's frame), locals, temporaries. Arguments are computed where the callee's
frame will start, so a call moves nothing. All instructions consist of 16-bit units; the first is
the opcode. An instruction with a result leaves it in the accumulator `r` (integers, references) or
`f` (floats), and, in the form that follows it in number, also writes it to a slot: the translator
turns the first form into the second when it learns that the value must survive.
"""
