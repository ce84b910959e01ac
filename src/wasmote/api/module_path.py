"""Modules found by their names in directories, as `iwasm --module-path` does."""

import os
from collections.abc import Iterable

from wasmote.errors import LinkError

#: Suffixes of files with modules. Of both in one directory, the one of the importing module's kind
#: is taken.
BINARY, COMPILED = ".wasm", ".aot"


class ModulePath:
    """Directories in which module `name` is the file `name.wasm`, or compiled `name.aot`."""

    def __init__(self, directories: Iterable[str | os.PathLike[str]]) -> None:
        self.directories = [os.fspath(each) for each in directories]

    def find(self, name: str, compiled: bool = False) -> str | None:
        """The file of a module, which a compiled or another module imports; None: there is none.

        Raises LinkError if several directories have one.
        """
        # The name comes from a module: it must not lead out of the directory.
        if not name or name != os.path.basename(name) or "\0" in name:
            return None
        kinds = (COMPILED, BINARY) if compiled else (BINARY, COMPILED)
        found = [path for each in self.directories if (path := _file(each, name, kinds))]
        if len({os.path.realpath(path) for path in found}) > 1:
            raise LinkError(
                f"module {name!r} is in several places: {' and '.join(found)}; "
                "remove one, or define the module by hand"
            )
        return found[0] if found else None

    def __str__(self) -> str:
        return os.pathsep.join(self.directories)


def _file(directory: str, name: str, kinds: tuple[str, str]) -> str | None:
    paths = (os.path.join(directory, name + kind) for kind in kinds)
    return next((path for path in paths if os.path.isfile(path)), None)
