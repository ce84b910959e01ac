"""Test scripts (`.wast`): the language of the WebAssembly specification's test suite.

`sexpr` splits a text into lists, `commands` gives them their meaning (with `literals` and `values`
for constants), `runner` carries them out against the public API, `spectest` is the host module
that scripts import from, `command` the `wasmote wast` of the command line. Nothing below this
package may import it.
"""

from wasmote.script.commands import Command, parse_script
from wasmote.script.runner import Failure, ScriptResult, run_script
from wasmote.script.sexpr import ScriptError
from wasmote.wat import wat2wasm

__all__ = [
    "Command",
    "Failure",
    "ScriptError",
    "ScriptResult",
    "parse_script",
    "run_script",
    "wat2wasm",
]
