"""Branch hints: which way a program's author, or a profile, expects branches to go.

They are in the custom section "metadata.code.branch_hint" (spec: Appendix, Code Metadata). What is
wrong with it is of no consequence: the hints are not there then.
"""

from wasmote.compile.reading import Cursor

SECTION = "metadata.code.branch_hint"


def read_hints(sections: list[bytes]) -> dict[int, dict[int, bool]]:
    """Hints by function and by the instruction's offset in its body: whether it is likely taken."""
    if len(sections) != 1:
        return {}
    cursor = Cursor(sections[0], 0)
    found: dict[int, dict[int, bool]] = {}
    try:
        for _ in range(cursor.unsigned()):
            hints = found.setdefault(cursor.unsigned(), {})
            for _ in range(cursor.unsigned()):
                offset, size = cursor.unsigned(), cursor.unsigned()
                value = cursor.raw(size)
                if value not in (b"\0", b"\1"):
                    return {}
                hints[offset] = value == b"\1"
    except IndexError:
        return {}
    return found
