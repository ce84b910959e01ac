"""Structures and arrays, their heap and its garbage collector (spec: Aggregate References).

A reference of the any and extern hierarchies is a 32-bit handle. 0 is null. With bit 0 set it is an
i31, whose value is in the bits above. With bit 1 set it is a reference to an object of the host,
which gives out such numbers. Otherwise it is an object: its index in `Heap.objects`, times 4. So
converting between the hierarchies changes nothing, and whatever a cell holds can be looked at
safely.

`heap.py` allocates, `collect.py` collects, `objects.py` and `exceptions.py` have what the
instructions do.
"""
