"""The tables and the JSON file: medians, ratios, geometric means."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from measure import Run

# program name -> peer name -> its runs, one a round
Results = Mapping[str, Mapping[str, Sequence[Run]]]


def machine() -> str:
    """One line on what the numbers were measured with."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{processor}, {os.cpu_count()} CPUs, {platform.system()}, {python}"


def median(runs: Sequence[Run], clock: str) -> float | None:
    """The median time of *runs* in seconds by *clock* ("cpu" or "wall"); None if one failed."""
    if not runs or any(run.problem for run in runs):
        return None
    return statistics.median(run.wall if clock == "wall" else run.cpu for run in runs)


def geometric_mean(ratios: Sequence[float]) -> float | None:
    return statistics.geometric_mean(ratios) if ratios else None


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as text in columns, the first to the left, the others to the right; row 0 is a head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    return "\n".join([line(rows[0]), "-" * len(line(rows[0])), *map(line, rows[1:])])


def programs_table(results: Results, names: Sequence[str], clock: str) -> str:
    """A row for each program: seconds of each peer, and their ratio to the first peer's."""
    baseline = names[0]
    rows = [["program", f"{baseline} s"]]
    for name in names[1:]:
        rows[0] += [f"{name} s", "ratio"]
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for program, by_peer in results.items():
        base = median(by_peer[baseline], clock)
        row = [program, _cell(base, by_peer[baseline])]
        for name in names[1:]:
            value = median(by_peer[name], clock)
            ratio = value / base if value and base else None
            if ratio:
                ratios[name].append(ratio)
            row += [_cell(value, by_peer[name]), f"{ratio:.2f}" if ratio else ""]
        rows.append(row)
    rows.append(_means_row(names[1:], ratios, len(results)))
    return table(rows)


def _cell(value: float | None, runs: Sequence[Run]) -> str:
    if value is not None:
        return f"{value:.3f}"
    problem = next((run.problem for run in runs if run.problem), "not run")
    return problem if problem in ("timeout", "differs") else "failed"


def _means_row(names: Sequence[str], ratios: Mapping[str, list[float]], total: int) -> list[str]:
    row = ["geometric mean", ""]
    for name in names:
        mean = geometric_mean(ratios[name])
        count = len(ratios[name])
        note = "" if count == total else f"({count} of {total})"
        row += [note, f"{mean:.2f}" if mean else ""]
    return row


def problems(results: Results) -> list[str]:
    """One line for each program that failed under a peer."""
    return [
        f"{program} under {peer}: {failed.problem}"
        for program, by_peer in results.items()
        for peer, runs in by_peer.items()
        if (failed := next((run for run in runs if run.problem), None))
    ]


def programs_json(results: Results, names: Sequence[str]) -> dict[str, object]:
    """All runs, and the geometric mean of each peer's ratio to the first peer, for a JSON file."""
    baseline = names[0]

    def means(clock: str) -> dict[str, float | None]:
        return {
            name: geometric_mean(
                [
                    value / base
                    for by_peer in results.values()
                    if (value := median(by_peer[name], clock))
                    and (base := median(by_peer[baseline], clock))
                ]
            )
            for name in names[1:]
        }

    return {
        "machine": machine(),
        "baseline": baseline,
        "unit": "seconds",
        "geometric_mean_of_ratios": {"cpu": means("cpu"), "wall": means("wall")},
        "programs": {
            program: {peer: [_run_json(run) for run in runs] for peer, runs in by_peer.items()}
            for program, by_peer in results.items()
        },
    }


def _run_json(run: Run) -> dict[str, object]:
    times: dict[str, object] = {"cpu": run.cpu, "wall": run.wall}
    return {**times, "problem": run.problem} if run.problem else times


def write_json(path: str, content: Mapping[str, object]) -> None:
    Path(path).write_text(json.dumps(content, indent=1) + "\n")


def quantity(value: float | None, unit: str) -> str:
    """A number with three significant digits or none after the point, and its unit."""
    if value is None:
        return "-"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
