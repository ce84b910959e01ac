"""`python -m wasmote`: the same as the command `wasmote`."""

import sys

from wasmote.cli import main

if __name__ == "__main__":
    sys.exit(main())
