"""Small arithmetic that Python spells with functions nativepy does not have."""

from wasmote.nativepy import inline


@inline
def smaller(a, b):
    return a if a < b else b


@inline
def larger(a, b):
    return a if a > b else b
