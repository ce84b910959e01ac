"""Fuzzes the engines: `python -m tests.fuzz.execution --modules 1000`.

Generated modules, and mutants of given ones (`--corpus`), run in each of Wasmote's engines, in a
process of its own, and in the package `wasmtime`; what can be seen from outside must be the same.
Modules where it is not, or that crash or hang, are written to `--findings`, made small (`reduce`).
"""

import argparse
import collections
import contextlib
import hashlib
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.engines import STOPPED, Binaries, Call, Observation, Wasmtime, Worker
from tests.fuzz.generate import Binaryen, own_module, own_pair
from tests.fuzz.mutate import mutate
from tests.fuzz.reduce import listing, reduce
from wasmote.isa import SUPPORTED_FEATURES, Feature

_LARGEST = 60_000  # bytes of a module of the corpus
_INTEGERS = (0, 1, -1, 2, 7, 255, 65535, 65536, 2**31 - 1, -(2**31), 1000)
_LONGS = (*_INTEGERS, 2**63 - 1, -(2**63), 2**32, 0x123456789ABCDEF)
_FLOATS = (0.0, -0.0, 1.0, -1.5, 2.5, 1e10, -1e30, 4e9, 1e-40, float("inf"), float("nan"))
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "i32": _INTEGERS,
    "i64": _LONGS,
    "f32": _FLOATS,
    "f64": (*_FLOATS, 1e300),
    "externref": (None, "extern"),
    "funcref": (None,),
}
#: Exports that start over what the generated modules count down so that they end.
REFILLS = ("f0", "hangLimitInitializer")
_CALLS = 60  # of one module, at most


def plan(seed: int, functions: list[tuple[str, list[str]]]) -> list[Call]:
    """Calls of the exported functions, three times each, and of `REFILLS` before each."""
    rng = random.Random(seed)
    refills: list[Call] = [
        (name, ()) for name, params in functions if name in REFILLS and not params
    ]
    calls: list[Call] = []
    for _ in range(3):
        for name, params in functions:
            if all(kind in _ARGUMENTS for kind in params) and (name, ()) not in refills:
                arguments = tuple(rng.choice(_ARGUMENTS[kind]) for kind in params)
                calls += [*refills, (name, arguments)]
    return calls[:_CALLS]


@dataclass
class Case:
    """Modules, of which the last one's exports are called, and the seed of its calls."""

    binaries: Binaries
    seed: int
    kind: str


class Fuzzer:
    """Runs cases everywhere and compares."""

    def __init__(self, engines: list[str], features: frozenset[Feature]) -> None:
        self.oracle = Wasmtime(features)
        self.canonical = Wasmtime(features, canonical_nans=True)
        self.workers = [Worker(engine) for engine in engines]
        self.counts: collections.Counter[str] = collections.Counter()

    def check(self, case: Case) -> str:
        """What is wrong with a case; empty if nothing is."""
        expected, calls = self.oracle.observe(case.binaries, lambda f: plan(case.seed, f))
        self.counts["calls"] += len(calls)
        for worker in self.workers:
            found = worker.observe(case.binaries, calls)
            if problem := difference(expected, found):
                if isinstance(found, Observation) and self.depends_on_nans(case, expected):
                    self.counts["depends on the bits of NaNs"] += 1
                    return ""
                return f"{worker.engine}: {problem}"
        self.counts["refused" if expected.refusal else "compared"] += 1
        return ""

    def depends_on_nans(self, case: Case, expected: Observation) -> bool:
        """Whether the module does something else when all NaNs are the canonical one."""
        other, _ = self.canonical.observe(case.binaries, lambda f: plan(case.seed, f))
        return (other.events, other.state) != (expected.events, expected.state)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


def difference(expected: Observation, found: Observation | str) -> str:
    """How an observation differs from wasmtime's; empty if it does not."""
    if isinstance(found, str):
        return found
    if expected.refusal or found.refusal:
        # Which modules are valid is compared by `decoder`.
        excused = expected.refusal or found.refusal.startswith("LimitError")
        return "" if excused else f"refused: {found.refusal}"
    theirs, ours = list(expected.events), list(found.events)
    if ours and ours[-1][:2] == ("trap", STOPPED[0]):  # stacks differ in size
        del theirs[len(ours) - 1 :], ours[-1]
    elif expected.state is not None and found.state is not None:
        theirs, ours = theirs + expected.state, ours + found.state
    for i in range(max(len(theirs), len(ours))):
        left, right = (events[i] if i < len(events) else "nothing" for events in (ours, theirs))
        if left != right:
            return f"event {i}: {left}, not {right}"
    return ""


class Source:
    """Where the modules come from."""

    def __init__(self, kinds: list[str], features: frozenset[Feature], corpus: list[bytes]) -> None:
        self.kinds, self.features, self.corpus = kinds, features, corpus
        self.binaryen = Binaryen(features) if "binaryen" in kinds else None

    def close(self) -> None:
        if self.binaryen:
            self.binaryen.close()

    def case(self, seed: int) -> Case | None:
        """The case that a number stands for."""
        rng = random.Random(seed)
        kind = self.kinds[seed % len(self.kinds)]
        if kind == "pair":
            return Case(own_pair(rng, self.features), seed, kind)
        binary = self.module(kind, rng)
        return None if binary is None else Case((binary,), seed, kind)

    def module(self, kind: str, rng: random.Random) -> bytes | None:
        if kind == "own":
            return own_module(rng, self.features)
        if kind == "binaryen":
            assert self.binaryen
            return self.binaryen.module(rng)
        if not self.corpus:
            return mutate(own_module(rng, self.features), rng)
        binary = rng.choice(self.corpus)
        for _ in range(rng.choice((1, 1, 2, 4))):
            binary = mutate(binary, rng)
        return binary


def report(fuzzer: Fuzzer, case: Case, problem: str, findings: Path, small: bool) -> None:
    """Write modules that failed, and small ones that fail too, to the folder."""
    digest = hashlib.sha256(b"".join(case.binaries)).hexdigest()[:12]
    folder = findings / f"{digest}-{case.seed}"
    write(folder, case.binaries)
    print(f"{folder}: {case.kind}: {problem}", flush=True)
    if not small:
        return
    kind = kind_of(problem)
    binaries = list(case.binaries)
    for i in reversed(range(len(binaries))):

        def still_fails(binary: bytes, i: int = i) -> bool:
            changed = (*binaries[:i], binary, *binaries[i + 1 :])
            return kind_of(fuzzer.check(Case(changed, case.seed, case.kind))) == kind

        binaries[i] = reduce(binaries[i], still_fails)
    write(folder / "small", tuple(binaries))
    print(f"  {fuzzer.check(Case(tuple(binaries), case.seed, case.kind))}")
    for binary in binaries:
        print(f"  {len(binary)} bytes:\n{listing(binary)}", flush=True)


def write(folder: Path, binaries: Binaries) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, binary in enumerate(binaries):
        (folder / f"{i}.wasm").write_bytes(binary)


def kind_of(problem: str) -> str:
    """What a reduced module must have in common with the original one."""
    for kind in ("crash", "hang", "refused"):
        if kind in problem:
            return kind
    return "difference" if problem else ""


def run(source: Source, fuzzer: Fuzzer, args: argparse.Namespace) -> int:
    """Check the cases of consecutive seeds; returns how many failed."""
    end = time.monotonic() + args.seconds
    problems = 0
    for number in range(args.modules):
        if time.monotonic() > end:
            break
        case = source.case(args.seed + number)
        if case is None:
            continue
        fuzzer.counts["modules"] += 1
        if problem := fuzzer.check(case):
            problems += 1
            report(fuzzer, case, problem, args.findings, not args.keep)
        if args.verbose and number % 500 == 499:
            print(summary(fuzzer, problems), flush=True)
    print(summary(fuzzer, problems))
    return problems


def summary(fuzzer: Fuzzer, problems: int) -> str:
    return ", ".join(f"{name} {n}" for name, n in fuzzer.counts.items()) + f", problems {problems}"


def supported() -> frozenset[Feature]:
    return frozenset(feature for feature in Feature if SUPPORTED_FEATURES & feature.mask)


def engines() -> list[str]:
    """Wasmote's engines by name."""
    from wasmote.api.instance import _ENGINES

    return [name for name in _ENGINES if name != "auto"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--engine", action="append", help="engine of Wasmote; may be given again (default: all)")
    add("--modules", type=int, default=1000)
    add("--seconds", type=float, default=float("inf"))
    add("--seed", type=int, default=None, help="of the first module; the others have the next ones")
    add(
        "--kinds",
        default=None,
        help="of own, pair, binaryen, mutant: how modules are made, by commas",
    )
    add("--features", default=None, help="proposals that modules may use, by commas")
    add("--corpus", type=Path, default=None, help="folder of .wasm and .wast files to mutate")
    add("--findings", type=Path, default=Path("findings"))
    add("--keep", action="store_true", help="do not reduce modules that fail")
    add("--verbose", action="store_true")
    args = parser.parse_args()
    features = supported()
    if args.features:
        features = frozenset(map(Feature, args.features.split(",")))
    kinds = args.kinds.split(",") if args.kinds else ["own", "pair", "mutant"]
    if not args.kinds and Binaryen.available():
        kinds += ["binaryen"] * 2
    corpus: list[bytes] = []
    if args.corpus:
        from tests.fuzz.decoder import read_corpus

        corpus = [module for module in read_corpus(args.corpus) if len(module) <= _LARGEST]
    args.seed = time.time_ns() if args.seed is None else args.seed
    print(f"seed {args.seed}")
    source, fuzzer = Source(kinds, features, corpus), Fuzzer(args.engine or engines(), features)
    with contextlib.closing(source), contextlib.closing(fuzzer):
        return min(1, run(source, fuzzer, args))


if __name__ == "__main__":
    sys.exit(main())
