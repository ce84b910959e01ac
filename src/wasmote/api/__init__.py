"""The Python API: modules, instances and what they import and export.

- `module`: `Module`; `instance`: `Instance` and its exports; `imports`: finding a module's imports;
- `func`, `memory`, `table`, `globals`: the four kinds of things that are imported and exported;
- `lifetime`: what keeps what alive, and the references to Python objects that WebAssembly holds;
- `values`: Python values as bytes and back; `layouts`: reading the core's structures;
- `callbacks`: the exceptions that native code asks for.

Calls themselves never come here: `wasmote.host.cpython` has them.
"""

from wasmote.api import callbacks  # noqa: F401 - connects native code to this package
