"""Fuzzes the loader of images: `python -m tests.fuzz.images --seconds 60`.

Mutants of images of generated modules are loaded and inspected, but not run, in a child process:
most have the hash that goes with their bytes, so that what is behind it is reached. Each must be
accepted or refused with an error of Wasmote's. What crashes the child, hangs it, or raises anything
else is written to `--findings`.
"""

import argparse
import collections
import hashlib
import pathlib
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable

from tests.fuzz.generate import own_module, supported
from tests.fuzz.mutate import mutate
from wasmote.image.format import HASH, HEADER, Image, digest, parse
from wasmote.isa import Feature

_HANG_SECONDS = 20
#: Features that the images do without: they are about the container.
_NOT_COMPILED = (Feature.EXCEPTIONS, Feature.LEGACY_EXCEPTIONS, Feature.GC, Feature.THREADS)
_NUMBERS = (0, 1, 0x7F, 0xFF, 0x4000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_C000, 0xFFFF_FFFF)

# -- mutants ---------------------------------------------------------------------------------------


def with_field(raw: bytes, rng: random.Random) -> bytes:
    """Another number in the header or the tables."""
    place = rng.randrange(0, parse(raw).tables_end - 4)
    known = struct.unpack_from("<I", raw, place)[0]
    number = rng.choice((*_NUMBERS, known + 1, known - 1, rng.getrandbits(32), len(raw)))
    return raw[:place] + struct.pack("<I", number & 0xFFFF_FFFF) + raw[place + 4 :]


def with_bits(raw: bytes, rng: random.Random) -> bytes:
    """Some bits flipped anywhere."""
    damaged = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def with_size(raw: bytes, rng: random.Random) -> bytes:
    """Less of it, or more."""
    if rng.random() < 0.5:
        return raw[: rng.randrange(len(raw))]
    return raw + rng.randbytes(rng.choice((1, 16, 93)))


def with_section(raw: bytes, rng: random.Random) -> bytes:
    """A section of other contents: the module, or what the compiler noted."""
    front = parse(raw)
    sections = {name: raw[at : at + size] for name, (at, size) in front.sections.items()}
    name = rng.choice(sorted(sections))
    part = sections[name]
    sections[name] = mutate(part, rng) if name == "module" else with_text(part, rng)
    if rng.random() < 0.1:
        del sections[name]
    code = raw[front.code_offset :][: front.code_size]
    return Image(front.target, front.symbols, code, sections).encode()


def with_text(part: bytes, rng: random.Random) -> bytes:
    """Lines of `name=value` left out, exchanged, or changed."""
    lines = part.splitlines(keepends=True)
    rng.shuffle(lines)
    if rng.random() < 0.5:
        lines.pop()
    text = bytearray(b"".join(lines))
    if text and rng.random() < 0.5:
        text[rng.randrange(len(text))] = rng.choice(b"\0\n=,\xff9a")
    return bytes(text)


def with_symbol(raw: bytes, rng: random.Random) -> bytes:
    """A symbol at another place, or left out."""
    front = parse(raw)
    symbols = dict(front.symbols)
    name = rng.choice(sorted(symbols))
    symbols[name] = rng.randrange(front.code_size)
    if rng.random() < 0.2:
        del symbols[name]
    sections = {each: raw[at : at + size] for each, (at, size) in front.sections.items()}
    code = raw[front.code_offset :][: front.code_size]
    return Image(front.target, symbols, code, sections).encode()


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    with_field,
    with_bits,
    with_size,
    with_section,
    with_symbol,
)


def mutant(raw: bytes, rng: random.Random) -> bytes:
    """A damaged image, in most cases with the hash that it should have."""
    made = rng.choice(_WAYS)(raw, rng)
    if len(made) >= HEADER.size and rng.random() < 0.85:
        size = struct.unpack_from("<I", made, 72)[0]
        sealed = bytearray(made)
        sealed[HASH] = digest(memoryview(made)[:size])
        return bytes(sealed)
    return made


def compiled_modules(count: int) -> list[bytes]:
    """Images of generated modules."""
    from wasmote import CompileError, Module
    from wasmote.compile import compile_module

    features = frozenset(each for each in supported() if each not in _NOT_COMPILED)
    found: list[bytes] = []
    seed = 0
    while len(found) < count:
        seed += 1
        try:
            binary = own_module(random.Random(seed), features, False)
            found.append(compile_module(Module(binary), level=0).encode())
        except CompileError:
            continue
    return found


# -- the process that loads ------------------------------------------------------------------------


def serve() -> None:
    """Read images from standard input, answer each with a line: what became of it."""
    from wasmote import Module, WasmoteError
    from wasmote.inspect.image import parse_image

    while head := sys.stdin.buffer.read(4):
        raw = sys.stdin.buffer.read(struct.unpack("<I", head)[0])
        outcomes = []
        for look in (Module, parse_image):
            try:
                look(raw)
                outcomes.append("accepted")
            except WasmoteError:
                outcomes.append("refused")
            except Exception as error:
                outcomes.append(f"PROBLEM {type(error).__name__}: {error}".replace("\n", " "))
        print(", ".join(outcomes), flush=True)


class Child:
    """The process that loads, started again when it has ended."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.images", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def load(self, raw: bytes) -> str:
        """What became of an image."""
        assert self.process.stdin and self.process.stdout
        started = time.monotonic()
        try:
            self.process.stdin.write(struct.pack("<I", len(raw)) + raw)
            self.process.stdin.flush()
            line = self.process.stdout.readline().decode().strip()
        except BrokenPipeError:
            line = ""
        if not line:
            status = self.process.wait()
            self._start()
            return f"PROBLEM the process ended with status {status}"
        return line if time.monotonic() - started < _HANG_SECONDS else f"PROBLEM slow: {line}"

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def run(
    corpus: list[bytes], seed: int, seconds: float, most: int, findings: pathlib.Path
) -> collections.Counter[str]:
    """Load mutants until the time is over; how often what happened."""
    rng = random.Random(seed)
    child = Child()
    counts: collections.Counter[str] = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end and counts.total() < most:
        raw = mutant(rng.choice(corpus), rng)
        outcome = child.load(raw)
        if "PROBLEM" in outcome:
            findings.mkdir(parents=True, exist_ok=True)
            path = findings / f"{hashlib.sha256(raw).hexdigest()[:16]}.aot"
            path.write_bytes(raw)
            print(f"{path}: {outcome}", flush=True)
            outcome = "PROBLEM"
        counts[outcome] += 1
    child.end()
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--images", type=int, default=1 << 60, help="mutants at most")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--findings", type=pathlib.Path, default=pathlib.Path("findings"))
    args = parser.parse_args()
    if args.serve:
        serve()
        return 0
    seed = args.seed if args.seed is not None else time.time_ns()
    corpus = compiled_modules(12)
    print(f"{len(corpus)} images, seed {seed}")
    counts = run(corpus, seed, args.seconds, args.images, args.findings)
    print(", ".join(f"{name}: {count}" for name, count in counts.most_common()))
    return 1 if counts["PROBLEM"] else 0


if __name__ == "__main__":
    sys.exit(main())
