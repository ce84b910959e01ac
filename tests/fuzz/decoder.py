"""Fuzzes the decoder and validator: `python -m tests.fuzz.decoder --seconds 60 --corpus DIR`.

Mutants of generated modules, and of valid ones in the corpus (`.wasm` files, modules of `.wast`
scripts), are loaded in a child process, behind a guard page; the package `wasmtime` says whether
each should be accepted. Inputs that crash the child, hang it, or get another verdict are written to
`--findings`.
"""

import argparse
import collections
import contextlib
import hashlib
import pathlib
import random
import struct
import subprocess
import sys
import time

from tests.fuzz.generate import own_module, supported
from tests.fuzz.mutate import mutate
from tests.fuzz.outside import Smith
from wasmote.core.messages import describe, is_limit
from wasmote.core.status import Status
from wasmote.isa import DEFAULT_FEATURES, Feature
from wasmote.script.commands import ModuleSource, parse_script
from wasmote.script.sexpr import ScriptError
from wasmote.wat import WatError

_REPLY = struct.Struct("<IIQQ")
_HANG_SECONDS = 20
_GENERATED = 200  # modules of each generator
_LARGEST = 200_000  # bytes of a module of the corpus
#: Verdicts of the other side that say nothing about the module.
_IGNORED = (
    "implementation limit",
    "exceed",  # its limits are lower
    "zero byte expected",  # 3.0 made the byte an index, in any encoding
    "invalid memory index",
    "constant expression required: global.get of locally defined global",  # allowed since 3.0
    "invalid u32",
    "integer representation too long",  # sizes and offsets are of 64 bits since 3.0
    "integer too large",
    "exceptional",
)


class Child:
    """The process that loads; see `serve`."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.decoder", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def load(self, binary: bytes) -> tuple[int, int, int, int] | None:
        """Status, offset and details; None after a crash."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(struct.pack("<I", len(binary)) + binary)
            self.process.stdin.flush()
            reply = self.process.stdout.read(_REPLY.size)
        except BrokenPipeError:
            reply = b""
        if len(reply) == _REPLY.size:
            return _REPLY.unpack(reply)
        self.process.wait()
        self.start()
        return None


def serve() -> None:
    """Read binaries from standard input, answer with what loading them said."""
    from tests.core.loading import load

    while head := sys.stdin.buffer.read(4):
        # The other side does not know the legacy form of exception handling.
        features = DEFAULT_FEATURES & ~Feature.LEGACY_EXCEPTIONS.mask
        loaded = load(sys.stdin.buffer.read(struct.unpack("<I", head)[0]), features=features)
        error = loaded.error
        reply = _REPLY.pack(error.status, error.offset, error.detail, error.detail2)
        loaded.free()
        sys.stdout.buffer.write(reply)
        sys.stdout.buffer.flush()


def read_corpus(folder: pathlib.Path) -> list[bytes]:
    found = [path.read_bytes() for path in sorted(folder.rglob("*.wasm"))]
    for path in sorted(folder.rglob("*.wast")):
        try:
            commands = parse_script(path.read_text(encoding="utf-8"))
        except (ScriptError, UnicodeDecodeError):
            continue
        sources = (getattr(c, "source", None) for c in commands)
        for source in sources:
            if isinstance(source, ModuleSource) and source.form != "quote":
                try:
                    found.append(source.binary())
                except WatError:
                    continue
    return sorted({m for m in found if 8 < len(m) <= _LARGEST})


def generated() -> list[bytes]:
    """Modules with everything, made by the generators that are there."""
    features = supported()
    found = [own_module(random.Random(n), features, n % 2 == 0) for n in range(_GENERATED)]
    if Smith.available():
        with contextlib.closing(Smith(features)) as smith:
            made = [smith.module(random.Random(n)) for n in range(_GENERATED)]
        found += [module for module in made if module]
    return found


class Oracle:
    """wasmtime's validator with the features that Wasmote has."""

    def __init__(self) -> None:
        import wasmtime

        config = wasmtime.Config()
        off = ("stack_switching", "component_model")
        on = (
            *("function_references", "gc", "memory64", "multi_memory", "tail_call"),
            *("custom_page_sizes", "wide_arithmetic", "threads", "exceptions"),
        )
        for feature in (*off, *on):
            if hasattr(wasmtime.Config, f"wasm_{feature}"):
                setattr(config, f"wasm_{feature}", feature in on)
        self.engine = wasmtime.Engine(config)
        self.error = wasmtime.WasmtimeError
        self.validate = wasmtime.Module.validate

    def refusal(self, binary: bytes) -> str:
        """Why it refuses the module; empty if it does not."""
        try:
            self.validate(self.engine, binary)
        except self.error as error:
            return str(error)
        return ""


def disagreement(reply: tuple[int, int, int, int], refusal: str) -> str:
    """What is wrong with a verdict; empty if nothing is."""
    status, _, detail, detail2 = reply
    ours = describe(status, detail, detail2) if status else ""
    if bool(ours) == bool(refusal) or is_limit(status):
        return ""
    if any(text in refusal for text in _IGNORED):
        return ""
    if status == Status.UNSUPPORTED_FEATURE and detail == Feature.GC.bit:
        return ""  # wasmtime takes a final type without supertypes even where GC is off
    return f"we say: {ours or 'valid'} | wasmtime says: {refusal or 'valid'}"


def run(
    corpus: list[bytes], oracle: Oracle, seconds: float, seed: int, findings: pathlib.Path
) -> int:
    rng = random.Random(seed)
    child = Child()
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        binary = rng.choice(corpus)
        for _ in range(rng.choice((1, 1, 2, 5))):
            binary = mutate(binary, rng)
        started = time.monotonic()
        reply = child.load(binary)
        if reply is None:
            problem = "crash"
        elif time.monotonic() - started > _HANG_SECONDS:
            problem = "hang"
        else:
            problem = disagreement(reply, oracle.refusal(binary))
            counts["valid" if reply[0] == Status.OK else Status(reply[0]).name] += 1
        if problem:
            report(findings, binary, problem, reply)
            counts["PROBLEM"] += 1
    print(", ".join(f"{name} {n}" for name, n in counts.most_common()))
    print(f"{sum(counts.values()) - counts['PROBLEM']} modules, {counts['PROBLEM']} problems")
    return 1 if counts["PROBLEM"] else 0


def report(
    findings: pathlib.Path, binary: bytes, problem: str, reply: tuple[int, int, int, int] | None
) -> None:
    findings.mkdir(parents=True, exist_ok=True)
    path = findings / f"{hashlib.sha256(binary).hexdigest()[:16]}.wasm"
    path.write_bytes(binary)
    at = f" (at {reply[1]:#x})" if reply else ""
    print(f"{path}: {problem}{at}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--corpus", type=pathlib.Path, help="folder of .wasm and .wast files")
    parser.add_argument("--findings", type=pathlib.Path, default=pathlib.Path("findings"))
    args = parser.parse_args()
    if args.serve:
        serve()
        return 0
    oracle = Oracle()
    corpus = generated() + (read_corpus(args.corpus) if args.corpus else [])
    corpus = [module for module in corpus if not oracle.refusal(module)]
    seed = args.seed if args.seed is not None else time.time_ns()
    print(f"{len(corpus)} modules in the corpus, seed {seed}")
    return run(corpus, oracle, args.seconds, seed, args.findings)


if __name__ == "__main__":
    sys.exit(main())
