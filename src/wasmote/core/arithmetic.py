"""Small arithmetic that Python spells with functions nativepy does not have."""

from wasmote.nativepy import inline


@inline
def smaller(a, b):
    return a if a < b else b  # noqa: FURB136 - min is not part of nativepy


@inline
def larger(a, b):
    return a if a > b else b  # noqa: FURB136
