"""Structures and arrays, their heap and its garbage collection (spec: Aggregate References).

A reference of the any and extern hierarchies is a 32-bit handle. 0 is null. With bit 0 set it is an
i31, whose value is in the bits above. With bit 1 set it is a reference to an object of the host,
which gives out such numbers. Otherwise it is an object: its distance from the start of the heap,
divided by 4. So converting between the hierarchies changes nothing.

`blocks` and `heap` give memory to objects, `pools` to those of compiled code. `collect` says when
garbage is collected, `roots` begins it with what is on the `stacks`, `mark` and `sweep` do it;
`pins` has the objects that the host holds, `notes` tells the host which of its objects are referred
to. `objects`, `elements` and `exceptions` have what the instructions do.
"""
