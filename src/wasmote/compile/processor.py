"""Processors and their features: which LLVM knows, and what compiled code needs, in the words of
Linux's /proc/cpuinfo.
"""

import re

from wasmote.compile.messages import captured, run_python
from wasmote.compile.options import Options
from wasmote.errors import CompileError
from wasmote.nativepy import llc
from wasmote.nativepy.targets import Target

#: LLVM's names of features of x86-64, where Linux has others.
_LINUX = {
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "bmi": "bmi1",
    "lzcnt": "abm",
    "pclmul": "pclmulqdq",
    "sha": "sha_ni",
    "rdrnd": "rdrand",
    "avx512bf16": "avx512_bf16",
    "avx512bitalg": "avx512_bitalg",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512vnni": "avx512_vnni",
    "avx512vp2intersect": "avx512_vp2intersect",
    "avx512vpopcntdq": "avx512_vpopcntdq",
    "avxvnni": "avx_vnni",
}
#: Features that LLVM makes code with by itself; the others only matter to what asks for them.
_USED = {
    "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma", "bmi", "bmi2", "lzcnt", "movbe",
    "f16c", "gfni", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vbmi",
    "avx512ifma", "avx512bf16", "avx512bitalg", "avx512vbmi2", "avx512vnni", "avx512vpopcntdq",
    "avxvnni", "avx512vp2intersect", "sse3",
}  # fmt: skip


def required(features: str) -> list[str]:
    """What a processor must have to run code for LLVM's `+a,-b` list of features."""
    on = [word[1:] for word in features.split(",") if word.startswith("+")]
    return sorted(_LINUX.get(name, name) for name in on if name in _USED)


def processors(target: Target) -> dict[str, str]:
    """What LLVM calls the processors of a target, and what it says of them."""
    return _known(target)[0]


def features(target: Target) -> dict[str, str]:
    """LLVM's features of a target's processors, and what it says of them."""
    return _known(target)[1]


def _known(target: Target) -> tuple[dict[str, str], dict[str, str]]:
    # LLVM gives this help once in a process.
    text = llc.help_text() if target.external else run_python(_HELP, target.triple)
    found = []
    for part in text.partition("Available features")[::2]:
        rows = re.findall(r"^  (\S+) +- (.*?)\.?$", part, re.MULTILINE)
        found.append({name: about for name, about in rows if not name.startswith("Use")})
    return found[0], found[1]


def check_processor(options: Options) -> None:
    """Raise CompileError for a processor or feature that LLVM does not know."""
    if not options.cpu and not options.features:
        return
    target = options.target
    if target.external:
        _check_names(options)
        return
    _, text = captured(lambda: _ask_llvm(target, options.cpu, options.features))
    unknown = re.search(r"'(\S+)' is not a recognized (processor|feature)", text)
    if unknown:
        raise _unknown(target, unknown[2], unknown[1].lstrip("+-"))


def _check_names(options: Options) -> None:
    """The same by what LLVM lists."""
    target = options.target
    if options.cpu and options.cpu not in processors(target):
        raise _unknown(target, "processor", options.cpu)
    for word in filter(None, options.features.split(",")):
        if word.lstrip("+-") not in features(target):
            raise _unknown(target, "feature", word.lstrip("+-"))


def _unknown(target: Target, what: str, name: str) -> CompileError:
    from difflib import get_close_matches

    known = processors(target) if what == "processor" else features(target)
    near = get_close_matches(name, known, n=1)
    flag = "--cpu=help" if what == "processor" else "--cpu-features=+help"
    hint = f"did you mean {near[0]}?" if near else f"{flag} lists them"
    return CompileError(f"{target.name} has no {what} {name}; {hint}")


_HELP = """\
import sys
import llvmlite.binding as llvm
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
llvm.Target.from_triple(sys.argv[1]).create_target_machine(cpu="help")
"""


def _ask_llvm(target: Target, cpu: str, features: str) -> None:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.Target.from_triple(target.triple).create_target_machine(cpu=cpu, features=features)
