"""What a module takes of RAM in each engine: python bench/in_place.py [PROGRAM.wasm ARGS…]

Runs a program in the classic and the fast interpreter and as compiled code in place, each in a
process of its own, and shows what loading and running it has made in memory, and what it uses of
its file as it is: other processes share that, and a machine that has the file in flash needs no RAM
for it. Linear memory, which is the same in all, is left out.

The kernel's count of pages that this process has written is shown beside it; in small programs most
of these are the Python objects around the module.

Without arguments it runs `coremix` and `json` of the benchmark programs. An image of the program,
made beforehand, can be given with --image.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import environment
from suite import PROGRAMS, build_wasm

ENGINES = ("classic", "fast", "aot")


def private(folder: str = "/proc/self") -> int:
    """Bytes that this process has alone and has written."""
    for line in Path(folder, "smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) << 10
    raise OSError("no Private_Dirty")


def run(engine: str, file: str, arguments: list[str], folders: dict[str, str]) -> dict[str, int]:
    """Run a program here; bytes that its module took. What it prints is thrown away."""
    import wasmote
    from wasmote.api.layouts import MemoryLayout
    from wasmote.host.mappings import usage
    from wasmote.wasi import Exit, Wasi

    before = private()
    with open(os.devnull, "r+b") as nothing:
        wasi = Wasi([file, *arguments], dirs=folders, stdout=nothing, stderr=nothing)
        module = wasmote.Module(file)
        instance = wasmote.Instance(module, wasi.imports(), engine=engine)
        memory = instance.exports.memory
        try:
            instance.exports._start()
        except Exit as end:
            if end.code:
                raise
    after = private()
    linear = usage(MemoryLayout.from_address(memory._address).data)["Private_Dirty"]
    report = wasmote.memory_report(instance)
    mapped = report.native_code + (report.binary if report.binary_mapped else 0)
    made = report.fast_code + report.side_tables + report.structures + report.native_private
    made += sum(each.used for each in report.tables) + report.globals
    return {
        "binary": 0 if report.binary_mapped else report.binary,
        "made": made,
        "mapped": mapped,
        "resident": report.native_resident,
        "written": after - before - linear,
    }


def measure(
    engine: str, warm: str, file: str, words: list[str], folders: list[str], given: str
) -> dict[str, Any]:
    """`run` in a process of its own, which has run the program `warm` before."""
    command = [sys.executable, __file__, f"--run={engine}", f"--warm={warm}", *folders, file]
    command += words
    with open(given, "rb") as stdin:
        done = subprocess.run(
            command,
            env=environment(),
            stdin=stdin,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compiled(file: str, folder: str) -> str:
    """The image of a program, on a disk: the pages of a new file are private until they are."""
    image = os.path.join(folder, f"{Path(file).stem}.aot")
    command = [sys.executable, "-m", "wasmote", "compile", "-o", image, file]
    subprocess.run(command, env=environment(), check=True)
    return image


def sync(file: str) -> None:
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())


def table(rows: list[tuple[str, str, dict[str, Any]]]) -> str:
    """Markdown; numbers in KiB."""
    lines = [
        "| program | engine | module in RAM | made of it | used from the file "
        "| resident of that code | pages written |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, engine, each in rows:
        numbers = [each[key] for key in ("binary", "made", "mapped", "resident", "written")]
        shown = " | ".join(f"{number / 1024:,.0f}" for number in numbers)
        lines.append(f"| {name} | {engine} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="*", help="a WASI program and its arguments")
    parser.add_argument("--image", help="the program's image; without, it is compiled")
    parser.add_argument("--dir", action="append", default=[], help="GUEST::HOST, may be repeated")
    parser.add_argument("--input", default=os.devnull, help="its standard input")
    parser.add_argument("--run", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--warm", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    words = options.program + rest
    if options.run:
        folders = dict(each.split("::") for each in options.dir)
        run(options.run, options.warm, [], {})
        print(json.dumps(run(options.run, words[0], words[1:], folders)))
        return
    programs = [words] if words else []
    for program in PROGRAMS if not words else ():
        if program.name in ("coremix", "json"):
            programs.append([str(build_wasm(program.name)), *program.arguments(quick=True)])
    rows = []
    folders = [word for each in options.dir for word in ("--dir", each)]
    with tempfile.TemporaryDirectory() as folder:
        hello = str(build_wasm("hello"))
        warm = dict.fromkeys(ENGINES, hello) | {"aot": compiled(hello, folder)}
        for file, *arguments in programs:
            image = options.image or compiled(file, folder)
            for engine in ENGINES:
                source = image if engine == "aot" else file
                sync(source)
                found = measure(engine, warm[engine], source, arguments, folders, options.input)
                rows.append((Path(file).stem, engine, found))
    print(table(rows))
    print("\nIn KiB.")


if __name__ == "__main__":
    main()
