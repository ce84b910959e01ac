"""Wasmote beside other engines, on this machine, now: see ``python bench/run.py --help``."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import measure
import micro
import report
import suite
from peers import Peer, find, start_up

EXAMPLES = """\
examples:
  python bench/run.py --quick                       a first impression, in about a minute
  python bench/run.py --rounds 5 --json result.json
  python bench/run.py --only fib,sieve --engine fast --engine classic
  python bench/run.py --peer iwasm=../wamr/build/iwasm --peer wasm3=../wasm3/build/wasm3
  python bench/run.py --without native,wasmtime
  python bench/run.py micro                         calls, loading, start-up, memory

Peers are looked for on the PATH (iwasm, iwasm-classic, wasm3, wamrc), as the Python package
wasmtime, and as native code compiled by the package ziglang, which compiles the programs too.
"""


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run.py",
        description="Wasmote beside other engines, on this machine, now.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "what",
        nargs="?",
        choices=("programs", "micro"),
        default="programs",
        help="whole programs (the default), or microbenchmarks",
    )
    add("--quick", action="store_true", help="about a twentieth of the work, one round")
    add("--rounds", type=int, help="rounds, each running every peer once (default 3)")
    add("--only", metavar="NAME,…", help="only these programs")
    add(
        "--engine",
        action="append",
        metavar="ENGINE",
        help="an engine of Wasmote's to measure; may be repeated (default auto)",
    )
    add(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="another engine, as COMMAND FILE ARGUMENT…; may be repeated",
    )
    add("--without", default="", metavar="NAME,…", help="leave out these peers")
    add("--wall", action="store_true", help="compare wall time; the default is CPU time")
    add("--timeout", type=float, default=120, metavar="SECONDS", help="for one run (default 120)")
    add("--module", metavar="FILE", help="micro: a module to load, instead of the programs")
    add("--json", metavar="FILE", help="write all measurements to FILE")
    add("--list", action="store_true", help="list programs and peers")
    arguments = parser.parse_args(argv)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.engine = arguments.engine or ["auto"]
    if arguments.rounds < 1 or arguments.timeout <= 0:
        parser.error("--rounds and --timeout must be positive")
    try:
        arguments.programs = suite.select(arguments.only)
        peers = find(arguments.engine, arguments.peer)
    except KeyError as unknown:
        parser.error(f"there is no program {unknown}; --list shows them")
    except ValueError as problem:
        parser.error(str(problem))
    without = arguments.without.split(",")
    arguments.peers = [peer for peer in peers if peer.name not in without]
    return arguments


def list_all(arguments: argparse.Namespace) -> None:
    rows = [["program", "size", "quick", "kind"]]
    rows += [[p.name, str(p.size), str(p.quick_size), p.kind] for p in arguments.programs]
    print(report.table(rows))
    print()
    for peer in arguments.peers:
        print(f"{peer.name}: {' '.join(peer.prefix) or 'native code'}")


def working(peers: Sequence[Peer], timeout: float) -> dict[Peer, measure.Run]:
    """The peers that run the least program, with that run; the others are reported and dropped."""
    found = {}
    for peer in peers:
        first = start_up(peer, timeout)
        run = start_up(peer, timeout)  # the second finds its files in memory
        if first.problem:
            print(f"without {peer.name}: {first.problem}", file=sys.stderr)
        else:
            found[peer] = run
    return found


def measure_program(
    program: suite.Program, peers: Sequence[Peer], arguments: argparse.Namespace
) -> dict[str, list[measure.Run]]:
    """Runs *program* under every peer, round after round: what disturbs one disturbs them all."""
    runs: dict[str, list[measure.Run]] = {peer.name: [] for peer in peers}
    for _ in range(arguments.rounds):
        for peer in peers:
            if not any(run.problem for run in runs[peer.name]):  # to fail once is enough
                command = peer.command(program.name, program.arguments(arguments.quick))
                runs[peer.name].append(measure.run(command, arguments.timeout))
    return {name: against_majority(own, runs.values()) for name, own in runs.items()}


def against_majority(
    own: list[measure.Run], everyones: Iterable[list[measure.Run]]
) -> list[measure.Run]:
    """The runs *own*, those marked that ended well but printed something else than most do."""
    outputs = Counter(run.output for runs in everyones for run in runs if not run.problem)
    expected = outputs.most_common(1)[0][0] if outputs else ""
    return [
        run if run.problem or run.output == expected else replace(run, problem="differs")
        for run in own
    ]


def show_progress(text: str) -> None:
    """Writes *text* over the last one, for whoever watches."""
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def run_programs(arguments: argparse.Namespace) -> int:
    started = working(arguments.peers, arguments.timeout)
    if not started:
        print("no engine works here: see the messages above", file=sys.stderr)
        return 1
    peers = list(started)
    names = [peer.name for peer in peers]
    clock = "wall" if arguments.wall else "cpu"
    clock_name = "wall" if arguments.wall else "CPU (user + system)"
    results: dict[str, dict[str, list[measure.Run]]] = {}
    for number, program in enumerate(arguments.programs, 1):
        show_progress(f"{number}/{len(arguments.programs)} {program.name}")
        results[program.name] = measure_program(program, peers, arguments)
    show_progress("")

    print(report.machine())
    print(f"{clock_name} time of the whole process, median of {arguments.rounds}")
    print(f"ratio: to the time of {names[0]}; above 1, {names[0]} is faster")
    print()
    print(report.programs_table(results, names, clock))
    print()
    start_ups = ", ".join(f"{p.name} {getattr(run, clock):.3f} s" for p, run in started.items())
    print(f"of which start-up (the program hello): {start_ups}")
    failures = report.problems(results)
    for failure in failures:
        print(f"problem: {failure}", file=sys.stderr)
    if arguments.json:
        report.write_json(arguments.json, report.programs_json(results, names))
    return 1 if failures else 0


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    try:
        if arguments.list:
            list_all(arguments)
            return 0
        if arguments.what == "micro":
            return micro.run(arguments)
        return run_programs(arguments)
    except suite.BuildError as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
