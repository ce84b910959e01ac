"""Flame graphs: call stacks with their samples, as an SVG picture.

Each function is a box as wide as its share of the samples, on top of the function that called it.
Pointing at a box shows the whole name and its time.
"""

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

_WIDTH, _ROW, _MARGIN, _TITLE = 1200, 17, 10, 30
#: Pixels below which a box is left out, and of a letter.
_THINNEST, _LETTER = 0.3, 7.0
_STYLE = "text{font:12px monospace;pointer-events:none}rect{stroke:#fff;stroke-width:.4}"


class _Box:
    """A function in the tree of calls."""

    __slots__ = ("called", "samples")

    def __init__(self) -> None:
        self.samples = 0
        self.called: dict[str, _Box] = {}


def flame_graph(stacks: Mapping[tuple[str, ...], int], interval: float) -> str:
    """The picture of stacks (names, outermost first) with their samples of `interval` seconds."""
    root, depth = _Box(), 0
    for stack, samples in stacks.items():
        box = root
        box.samples += samples
        depth = max(depth, len(stack))
        for name in stack:
            box = box.called.setdefault(name, _Box())
            box.samples += samples
    height = _TITLE + (depth + 1) * _ROW + _MARGIN
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{_MARGIN}" y="20">{root.samples} samples, '
        f"{root.samples * interval:.3f} seconds</text>",
    ]
    if root.samples:
        scale = (_WIDTH - 2 * _MARGIN) / root.samples
        bottom = height - _MARGIN - _ROW
        lines += _boxes("all", root, _MARGIN, bottom, scale, root.samples, interval)
    return "\n".join([*lines, "</svg>", ""])


def _boxes(
    name: str, box: _Box, x: float, y: int, scale: float, whole: int, interval: float
) -> Iterator[str]:
    """A box and those above it. No recursion: stacks are deep."""
    waiting = [(name, box, x, y)]
    while waiting:
        name, box, x, y = waiting.pop()
        width = box.samples * scale
        if width < _THINNEST:
            continue
        share = f"{box.samples * interval:.3f} s, {box.samples / whole:.1%}"
        yield f"<g><title>{escape(name)} ({share})</title>"
        yield (
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 1}"'
            f" fill={quoteattr(_colour(name))}/>"
        )
        letters = int((width - 4) / _LETTER)
        if letters >= 3:
            label = name if len(name) <= letters else f"{name[: letters - 1]}…"
            yield f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(label)}</text>'
        yield "</g>"
        for called, above in sorted(box.called.items()):
            waiting.append((called, above, x, y - _ROW))
            x += above.samples * scale


def _colour(name: str) -> str:
    """A warm colour, the same for a name in every picture; host functions are blue."""
    number = 0
    for letter in name:
        number = (number * 31 + ord(letter)) & 0xFFFF
    if name.endswith("(host)"):
        return f"rgb(110,{150 + number % 50},{210 + number % 40})"
    return f"rgb({205 + number % 50},{90 + number // 50 % 120},{number // 7 % 55})"
