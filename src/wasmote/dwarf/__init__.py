"""Reads DWARF, the format of debug information, versions 2 to 5. Knows nothing of WebAssembly.

- `reader`: numbers and strings; `units`: the tree of entries that describes a program;
  `lines`: which source line an address belongs to;
- `sources`: both together: the source line of an address, inlined functions included;
- `packed`: the sections that takes, as one piece of data.

The input may be damaged or hostile: whatever is wrong with it is a `DwarfError`, and reading takes
time and memory in proportion to its size.
"""
