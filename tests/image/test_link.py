"""The linker: only code that can be mapped anywhere, as it is, becomes an image."""

import pytest

from wasmote.image.build import link
from wasmote.image.format import ImageError
from wasmote.nativepy import TARGETS
from wasmote.nativepy.codegen import compile_object

#: Xtensa code cannot tell where its constants are (`test_xtensa`).
LINKED = [name for name, target in TARGETS.items() if not target.external]


def link_ir(name: str, text: str):
    target = TARGETS[name]
    return link(compile_object(f'target triple = "{target.triple}"\n{text}', target), target)


@pytest.mark.parametrize("name", LINKED)
def test_exported_functions_are_the_symbols(name):
    image = link_ir(
        name,
        """
        @table = internal constant [4 x i32] [i32 1, i32 2, i32 3, i32 4]
        define dso_local i32 @get(i64 %i) noinline {
            %p = getelementptr i32, ptr @table, i64 %i
            %x = load i32, ptr %p
            ret i32 %x
        }
        define dso_local i32 @twice(i64 %i) {
            %a = call i32 @get(i64 %i)
            %b = add i32 %a, %a
            ret i32 %b
        }
        """,
    )
    assert set(image.symbols) == {"get", "twice"}
    assert image.target == name
    assert all(0 <= offset < len(image.code) for offset in image.symbols.values())


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize(
    "text,message",
    [
        ("@x = dso_local global i32 5", "is writable: an image has no data of its own"),
        ("@x = dso_local global i32 0", "is writable"),
        (
            "declare void @outside()\ndefine dso_local void @f() {\n"
            "call void @outside()\nret void\n}",
            "outside is not defined in the image|is not relative to the code",
        ),
        (
            "define dso_local void @f() {\nret void\n}\n@p = dso_local constant ptr @f",
            "is writable|is not relative to the code",
        ),
    ],
    ids=["data", "zeros", "outside", "absolute address"],
)
def test_what_needs_more_is_refused(name, text, message):
    with pytest.raises(ImageError, match=message):
        link_ir(name, text)
