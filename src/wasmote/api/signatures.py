"""Signatures of native functions: WAMR's letters, as in `(*~$)i`.

    i I f F   i32, i64, f32, f64
    r         a reference
    *         a pointer to memory: an i32, or an i64 for a 64-bit memory; at least one byte is there
    ~         an i32: how many bytes the pointer before refers to
    $         a pointer to a string that a zero byte ends

Parameters are in parentheses, results follow.
"""

from collections.abc import Sequence

from wasmote.errors import LinkError
from wasmote.types import FuncType, RefType, ValType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LETTERS = "iIfFr*~$"
_NUMBERS = {"i": ValType.I32, "I": ValType.I64, "f": ValType.F32, "F": ValType.F64}


class Signature:
    """`params` and `results` are letters. Raises ValueError for what is no signature."""

    __slots__ = ("params", "results")

    def __init__(self, text: str) -> None:
        start, _, rest = text.partition("(")
        params, closed, results = rest.partition(")")
        if start or not closed:
            raise ValueError(f"signature {text!r}: expected (PARAMETERS)RESULTS, such as (*~$)i")
        for letter in params + results:
            if letter not in LETTERS:
                raise ValueError(f"signature {text!r}: no letter {letter!r}; there are {LETTERS}")
        for i, letter in enumerate(params):
            if letter == "~" and params[i - 1 : i] != "*":
                raise ValueError(f"signature {text!r}: ~ tells the size of a *, which is missing")
        for letter in results:
            if letter in "*~$":
                raise ValueError(f"signature {text!r}: {letter} cannot be a result; use i")
        self.params, self.results = params, results

    def __str__(self) -> str:
        return f"({self.params}){self.results}"

    def arguments(self) -> int:
        """How many arguments a Python function gets: a buffer is one, with its size."""
        return len(self.params) - self.params.count("~")

    def check(self, type: FuncType, label: str) -> None:
        """Raise LinkError unless functions of that type can be called so."""
        if not (_fit(self.params, type.params) and _fit(self.results, type.results)):
            raise LinkError(
                f"incompatible import type: the native function {label} has the signature {self}, "
                f"but the module needs a function {type}"
            )


def _fit(letters: str, types: tuple[ValType | RefType, ...]) -> bool:
    return len(letters) == len(types) and all(map(_fits, letters, types))


def _fits(letter: str, type: ValType | RefType) -> bool:
    if letter in _NUMBERS:
        return type is _NUMBERS[letter]
    if letter == "r":
        return type.is_reference
    return type is ValType.I32 or (letter in "*$" and type is ValType.I64)


def letters_of(annotated: "Sequence[Any]", result: "Any", type: FuncType, label: str) -> Signature:
    """The signature that annotations stand for, where a function of that type is wanted.

    Raises LinkError if they do not fit it.
    """
    params = ""
    for annotation in annotated:
        wanted = type.params[len(params)] if len(params) < len(type.params) else None
        params += _letters(annotation, wanted)
    results = "" if result is None else _result_letters(result, type)
    signature = Signature(f"({params}){results}")
    if not (_fit(params, type.params) and _fit(results, type.results)):
        names = ", ".join(_shown(each) for each in annotated)
        raise LinkError(
            f"incompatible import type: the native function {label} is annotated "
            f"({names}) -> {_shown(result)}, but the module needs a function {type}"
        )
    return signature


def _letters(annotation: "Any", wanted: ValType | RefType | None) -> str:
    if annotation in (memoryview, bytes):
        return "*~"
    if annotation is str:
        return "$"
    if annotation is bool:
        return "i"
    if annotation is int:
        return "I" if wanted is ValType.I64 else "i"
    if annotation is float:
        return "f" if wanted is ValType.F32 else "F"
    return "r"


def _result_letters(annotation: "Any", type: FuncType) -> str:
    from typing import get_args, get_origin  # takes a while to import

    several = get_args(annotation) if get_origin(annotation) is tuple else (annotation,)
    if len(several) != len(type.results):
        return "r" * len(several)
    found = map(_letters, several, type.results)
    return "".join(letter if letter in "iIfFr" else "r" for letter in found)


def _shown(annotation: "Any") -> str:
    return getattr(annotation, "__name__", str(annotation))
