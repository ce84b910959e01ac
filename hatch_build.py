"""Build hook: compiles the virtual machine for every hosted target into the wheel.

One wheel serves all of them, and every version of CPython: an image is data, found by the name of
the machine it is for, and reaches CPython through a table of function pointers. Editable installs
get no image; a checkout compiles its own, so that it always matches the sources.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ImagesHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `wasmote/host/images/<target>.img` to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "src")))
        from wasmote.host import core_image

        self.folder = tempfile.mkdtemp(prefix="wasmote-images-")
        for path in core_image.build_packaged(self.folder):
            name = Path(path).name
            build_data["force_include"][path] = f"wasmote/host/images/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            shutil.rmtree(self.folder)
