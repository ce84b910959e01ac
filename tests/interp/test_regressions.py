"""Modules that an interpreter once got wrong, each as small as it could be made."""

from tests.api.support import exports


def call(text: str, *arguments: object) -> object:
    """Instantiate a module and call its export `f`."""
    return exports(text).f(*arguments)


def test_large_constant_on_the_left_of_a_value_in_its_slot() -> None:
    """Operands were exchanged, then the constant, no immediate, overwrote the other one."""
    text = """
        (func $seven (result i64) i64.const 7)
        (func (export "f") (result i64) i64.const 0x123456789ab call $seven i64.add)
    """
    assert call(text) == 0x123456789AB + 7
