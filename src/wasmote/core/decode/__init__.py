"""The decoder: from a binary to the tables of a `Module` (spec: Binary Format).

`module.py` walks the sections; each other file decodes what one or two sections hold. Items are
checked as they are read (spec: Validation, Modules); function bodies and constant expressions go to
`core.validate`. Nothing is allocated by a count that was not checked against the bytes left.
"""
