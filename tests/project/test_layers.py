"""Imports point down (docs/architecture.md, Layers)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "wasmote"

#: From the bottom up. Modules of one layer may import each other; the longest name decides.
LAYERS = (
    ("nativepy",),
    ("image", "dwarf"),
    ("types", "errors"),
    ("core.status",),
    ("isa",),
    ("core",),
    ("interp",),
    ("aot", "libc.native"),
    ("host",),
    ("api", "jit", ""),  # the package itself: `from wasmote import Module`
    ("wat", "wasi", "libc", "inspect", "compile", "debug"),
    ("script",),
    ("cli", "__main__"),
    ("capi", "wamr"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def layer(module: str) -> str:
    """The entry of `LAYERS` that a module (named from the package on) belongs to."""
    parts = module.split(".")
    while parts and ".".join(parts) not in RANK:
        parts.pop()
    return ".".join(parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module, from the package on, of each import of this package's modules."""
    package = ["wasmote", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *(node.module or "").split(".")]).rstrip(".")
            if name == "wasmote":
                for alias in node.names:
                    places = PACKAGE / alias.name, PACKAGE / f"{alias.name}.py"
                    yield node.lineno, alias.name if any(p.exists() for p in places) else ""
            elif name.startswith("wasmote."):
                yield node.lineno, name.removeprefix("wasmote.")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "wasmote":
                    yield node.lineno, alias.name.removeprefix("wasmote").lstrip(".")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__")
    own = layer(module.rstrip("."))
    if own == "":
        return  # wasmote/__init__.py offers the public names of all layers
    for line, imported in imports(path):
        other = layer(imported)
        allowed = RANK[other] <= RANK[own]
        assert allowed, f"{path}:{line}: wasmote.{imported} is above {own}"


def test_every_folder_is_in_a_layer():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {name.split(".")[0] for name in RANK}


def test_the_test_itself_sees_imports():
    found = {name for _, name in imports(PACKAGE / "api" / "instance.py")}
    assert {"api.func", "core.status", "errors", "host.cpython.binding"} <= found
    relative = {name for _, name in imports(PACKAGE / "image" / "build.py")}
    assert {"image.join", "nativepy.codegen"} <= relative
    assert layer("core.status") == "core.status"
    assert layer("core.decode.module") == "core"
    assert layer("wasi.host") == "wasi"
    assert layer("Module") == ""
