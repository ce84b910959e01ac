"""WebAssembly's official test suite, and tests of the script runner that runs it."""
