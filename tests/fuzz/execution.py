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

from tests.fuzz.alike import alike
from tests.fuzz.boundary import plain, shown
from tests.fuzz.generate import own_module, own_pair, supported
from tests.fuzz.mutate import mutate
from tests.fuzz.observe import OUT_OF_MEMORY, STOPPED, Binaries, Observation
from tests.fuzz.outside import SMITH_FUEL, Binaryen, Smith
from tests.fuzz.reduce import listing, reduce
from tests.fuzz.worker import CANONICAL, ORACLE, Worker
from wasmote.isa import Feature

ENDLESS = ("trap", "interrupted")
NOTHING = ("nothing",)
#: Traps of instructions with two reasons for one: ours, that of the specification, and theirs.
_EARLIER = (
    (("trap", "unaligned atomic"), ("trap", "out of bounds memory access")),
    (("trap", "null reference"), ("trap", "out of bounds array access")),
)
_LARGEST = 60_000  # bytes of a module of the corpus


@dataclass
class Case:
    """Modules, of which the last one's exports are called, and the seed of its calls."""

    binaries: Binaries
    seed: int
    kind: str
    twins: Binaries | None = None  # for Wasmote: the same in a form that wasmtime does not know


class Fuzzer:
    """Runs cases everywhere and compares."""

    def __init__(self, engines: list[str], features: frozenset[Feature]) -> None:
        self.oracle = Worker(ORACLE, features)
        self.canonical = Worker(CANONICAL, features)
        self.workers = [Worker(engine, features) for engine in engines]
        self.counts: collections.Counter[str] = collections.Counter()

    def check(self, case: Case) -> str:
        """What is wrong with a case; empty if nothing is."""
        expected = self.oracle.observe(case.binaries, case.seed)
        if isinstance(expected, str):  # its package ends when it is asked of vectors, for example
            self.counts["too much for wasmtime"] += 1
            expected = Observation(refusal=expected)
        if ENDLESS in expected.events:  # the start function
            self.counts["endless"] += 1
            return ""
        self.counts["calls"] += len(expected.calls)
        for worker in self.workers:
            found = worker.observe(case.twins or case.binaries, expected.calls)
            if case.twins and isinstance(found, Observation):
                found.without_places()
                expected.without_places()
            if problem := difference(expected, found):
                if isinstance(found, Observation) and self.depends_on_nans(case, expected):
                    self.counts["depends on the bits of NaNs"] += 1
                    return ""
                return f"{worker.engine}: {problem}"
        self.counts["refused" if expected.refusal else f"compared {case.kind}"] += 1
        return ""

    def depends_on_nans(self, case: Case, expected: Observation) -> bool:
        """Whether the module does something else when all NaNs are the canonical one."""
        return self.canonical.observe(case.binaries, case.seed) != expected

    def close(self) -> None:
        for worker in (self.oracle, self.canonical, *self.workers):
            worker.close()


def difference(expected: Observation, found: Observation | str) -> str:
    """How an observation differs from wasmtime's; empty if it does not."""
    if isinstance(found, str):
        return found
    if expected.refusal or found.refusal:
        # Which modules are valid is compared by `decoder`.
        excused = expected.refusal or found.refusal.startswith(("LimitError", "CompileError"))
        return "" if excused else f"refused: {found.refusal}"
    theirs, ours = list(expected.events), list(found.events)
    if ours and ours[-1][:2] in (("trap", STOPPED[0]), ("trap", OUT_OF_MEMORY)):  # sizes differ
        del theirs[len(ours) - 1 :], ours[-1]
    elif expected.state is not None and found.state is not None:
        theirs, ours = theirs + expected.state, ours + found.state
    for i in range(max(len(theirs), len(ours))):
        left, right = (events[i] if i < len(events) else NOTHING for events in (ours, theirs))
        if left != right and (left[:2], right[:2]) not in _EARLIER:
            return f"event {i}: {left}, not {right}"
    return ""


class Source:
    """Where the modules come from."""

    def __init__(self, kinds: list[str], features: frozenset[Feature], corpus: list[bytes]) -> None:
        self.kinds, self.features, self.corpus = kinds, features, corpus
        self.binaryen = Binaryen(features) if "binaryen" in kinds else None
        smith = {"smith", "smith-mutant"} & set(kinds)
        self.smith = Smith(features) if smith else None

    def close(self) -> None:
        for each in (self.binaryen, self.smith):
            if each:
                each.close()

    def case(self, seed: int) -> Case | None:
        """The case that a number stands for."""
        rng = random.Random(seed)
        kind = self.kinds[seed % len(self.kinds)]
        if kind == "legacy":  # of exception handling
            standard, legacy = (
                own_module(random.Random(seed), self.features, legacy=each)
                for each in (False, True)
            )
            return Case((standard,), seed, kind, (legacy,))
        binaries = self.binaries(kind, rng)
        return None if binaries is None else Case(binaries, seed, kind)

    def binaries(self, kind: str, rng: random.Random) -> Binaries | None:
        match kind:
            case "pair":
                return own_pair(rng, self.features)
            case "own":
                return (own_module(rng, self.features),)
            case "objects":
                return (shown(own_module(rng, self.features, objects=True)),)
            case "binaryen":
                assert self.binaryen
                made = self.binaryen.module(rng)
                return made and plain(made)
            case "smith" | "smith-mutant":
                assert self.smith
                made = self.smith.module(rng)
                if made and kind == "smith-mutant":
                    made = self.changed(made, rng)
                return made and plain(made, SMITH_FUEL)
            case "mutant":
                return self.mutant(rng)
        raise ValueError(f"there is no kind {kind!r} of modules")

    def mutant(self, rng: random.Random) -> Binaries | None:
        if not self.corpus:
            return (self.changed(own_module(rng, self.features), rng),)
        binary = rng.choice(self.corpus)
        for _ in range(rng.choice((1, 1, 2, 4))):
            binary = self.changed(binary, rng)
        return plain(binary)

    @staticmethod
    def changed(binary: bytes, rng: random.Random) -> bytes:
        """A mutant, mostly one that is as valid as the module was."""
        return (alike if rng.random() < 0.8 else mutate)(binary, rng)


def report(fuzzer: Fuzzer, case: Case, problem: str, findings: Path, small: bool) -> None:
    """Write modules that failed, and small ones that fail too, to the folder."""
    digest = hashlib.sha256(b"".join(case.binaries)).hexdigest()[:12]
    folder = findings / f"{digest}-{case.seed}"
    write(folder, case.binaries)
    print(f"{folder}: {case.kind}: {problem}", flush=True)
    if case.twins:
        write(folder / "twins", case.twins)
    if not small or case.twins:
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


def engines() -> list[str]:
    """The engines that run when none is named: compiling thousands of modules takes too long."""
    return ["fast", "classic"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add(
        "--engine",
        action="append",
        help="fast, classic, aot, jit, parts, mixed or switch; may be repeated"
        " (default: fast, classic)",
    )
    add("--modules", type=int, default=1000)
    add("--seconds", type=float, default=float("inf"))
    add("--seed", type=int, default=None, help="of the first module; the others have the next ones")
    add(
        "--kinds",
        default=None,
        help="how modules are made, by commas: own, objects, legacy, pair, mutant, binaryen, …",
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
    kinds = args.kinds.split(",") if args.kinds else ["own", "pair", "mutant", "objects"]
    if not args.kinds and Binaryen.available():
        kinds += ["binaryen"]
    if not args.kinds and Smith.available():
        kinds += ["smith", "smith-mutant"]
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
