"""Python methods for native types."""

from collections.abc import Callable

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


class _Empty:
    """Has what every class has."""

    annotated: int


def extend(native: type) -> "Callable[[type[T]], type[T]]":
    """Class decorator: moves what the class defines to the native type, and becomes that type.

    So the methods are written, documented and type-checked as those of an ordinary class.
    """

    def move(written: "type[T]") -> "type[T]":
        for name, value in vars(written).items():
            if name not in vars(_Empty) or name == "__doc__":
                setattr(native, name, value)
        return native

    return move
