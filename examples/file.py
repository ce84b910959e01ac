"""Files in a directory that the program is given."""

import tempfile
from pathlib import Path

from build import run, wasm

with tempfile.TemporaryDirectory() as folder:
    program = run(wasm("file/main.c"), f"--map-dir=.::{folder}")
    print(program.stdout.read(), end="")
    print("on the host:", (Path(folder) / "test.txt").read_bytes())
