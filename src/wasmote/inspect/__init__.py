"""What is in a module or an image: sections, definitions, names, code, for people and tools.

The core decodes what it needs to run a module; here a module is read once more in Python, with all
that the core skips: where each section is, what things are called, who made it. Nothing is run.

- `reader`: bytes, integers and names of the binary format;
- `model`: what a module consists of; `parse` and `defined_types` read it; `custom`: custom sections
  with a meaning;
- `branch_hints`: one of these; `code`: instructions; `disassemble`: functions as text;
- `engines`: how large engines make them;
- `image`: what is in an image; `native`: its machine code as text.

Modules are meant to be validated first (`wasmote.Module`), but nothing here relies on that: what is
malformed raises `DecodeError`. Nothing here prints; the command line does.
"""

from wasmote.inspect.branch_hints import check_branch_hints
from wasmote.inspect.disassemble import disassemble
from wasmote.inspect.engines import engine_sizes
from wasmote.inspect.model import ModuleInfo
from wasmote.inspect.parse import parse

__all__ = ["ModuleInfo", "check_branch_hints", "disassemble", "engine_sizes", "parse"]
