"""The folded text of legacy exception handling, which the assembler does not know.

`(try (do …) (catch $e …) (catch_all …))` becomes `try … catch $e … catch_all … end`, and
`(try (do …) (delegate $l))` becomes `try … delegate $l`, in the same lines. Both forms mean the
same where a sequence of instructions is expected; as an operand of a folded instruction the text
stays as it is, to be refused.
"""

from wasmote.script.sexpr import Expr

_SEQUENCES = ("func", "block", "loop", "then", "else", "try", "do", "catch", "catch_all")


def unfold_tries(module: Expr, text: str) -> str:
    """The text of a module, an s-expression of `text`, with all of them unfolded."""
    edits: list[tuple[int, int, str]] = []
    pending = [module]
    while pending:
        parent = pending.pop()
        children = [item for item in parent.items if isinstance(item, Expr)]
        pending += children
        if parent.head in _SEQUENCES:
            for each in children:
                if each.head == "try" and _clauses(each):
                    edits += _unfold(each)
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    longer = sum(len(new) - (end - start) for start, end, new in edits)
    return text[module.start : module.end + longer]


def _clauses(expr: Expr) -> list[Expr]:
    """The parts of a folded `try`, of which the first is `(do …)`; none if it is not folded."""
    parts = [item for item in expr.items if isinstance(item, Expr)]
    heads = [part.head for part in parts]
    return parts[heads.index("do") :] if "do" in heads else []


def _unfold(expr: Expr) -> list[tuple[int, int, str]]:
    """What to replace, from and to which place of the text."""
    parts = _clauses(expr)
    edits = [(expr.start, expr.start + 1, " ")]
    for part in parts:
        word_end = part.offsets[0] + len(part.head)
        edits.append((part.start, word_end, "" if part.head == "do" else part.head))
        edits.append((part.end - 1, part.end, " "))
    closing = " " if parts[-1].head == "delegate" else " end "
    return [*edits, (expr.end - 1, expr.end, closing)]
