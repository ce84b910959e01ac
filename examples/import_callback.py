"""What a module imports, and functions for it that are made when it is linked."""

from collections.abc import Callable

from build import module

import wasmote


def made(wanted: wasmote.ImportType) -> Callable[..., int]:
    """A function for an import, whatever its name and number of parameters."""

    def function(*arguments: int) -> int:
        print(f"{wanted.name}{arguments} is called")
        return sum(arguments)

    return function


test = module("import_callback/test.wat")
for each in test.imports:
    print(f"imports {each.module}.{each.name}: {each.type}")
imports = {"env": {each.name: made(each) for each in test.imports}}
print("test() =", wasmote.Instance(test, imports).exports.test())
