"""Features of processors: what compiled code needs, in the words of Linux's /proc/cpuinfo."""

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
