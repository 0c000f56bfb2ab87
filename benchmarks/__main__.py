"""The short benchmarks, several times in turns, against a saved run: `make bench`.

    python -m benchmarks [NAME ...] [--runs N] [--save] [--saved FILE] [--list]

The contract of a benchmark is small. It is a module of this package that prints JSON objects, one
a line, mostly one only; their numbers are figures by the unit that their names end with:

    …_per_s  …_per_cpu_s  …_over_…  times_…     more is better
    …_s  …_ms  …_us  …_us_per_…  …_p99  …_mb  …_core   less is better

All other numbers, such as counts, are not compared. Objects and lists inside it are read too. A
module that takes seconds says `SHORT = [...]`, the arguments of its short run. Those without are
run by name only, with no arguments: they take minutes, or a server that has to be there.

Every run is written to out/bench.json with all of its figures. What it is compared with is
out/bench-saved.json, which the first run is, and a run with ``--save``.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison import Figures, more_is_better, slower

HERE = Path(__file__).parent
OUT = HERE.parent / "out"


def short_runs() -> dict[str, list[str]]:
    """The arguments of the short run of each benchmark that has one; nothing is imported."""
    found = {}
    for file in sorted(HERE.glob("[!_]*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SHORT":
                found[file.stem] = ast.literal_eval(node.value)
    return found


def figures_of(result: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    """The numbers of a result, also of objects and lists in it, by their dotted names."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from figures_of(value, f"{before}{name}.")
        elif isinstance(value, list):
            inside = {str(n): each for n, each in enumerate(value)}
            yield from figures_of(inside, f"{before}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield before + name, float(value)


def run(name: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What a benchmark prints; it ends this program when that ends by an error."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return found[0] if len(found) == 1 else {str(n): each for n, each in enumerate(found)}


def machine() -> str:
    """The machine that runs were made on; those of another are not compared."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if os.name == "posix" else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return f"{len(os.sched_getaffinity(0))} x {model or platform.machine()}"


def measured(wanted: Mapping[str, Sequence[str]], runs: int) -> dict[str, Figures]:
    """The figures of every run of some benchmarks, which take turns: what disturbs hits all."""
    found: dict[str, Figures] = {name: {} for name in wanted}
    for number in range(runs):
        for name, arguments in wanted.items():
            print(f"{name}, run {number + 1} of {runs}", file=sys.stderr, flush=True)
            for figure, value in figures_of(run(name, arguments)):
                found[name].setdefault(figure, []).append(value)
    return found


def main() -> None:
    """Run them, write what was found, and tell what is slower than in the saved run."""
    there = short_runs()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", metavar="NAME", help="else all that take seconds")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="later runs are compared with this one")
    parser.add_argument("--saved", type=Path, default=OUT / "bench-saved.json")
    parser.add_argument("--list", action="store_true", help="the benchmarks that take seconds")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name} {' '.join(arguments)}" for name, arguments in there.items()))
        return
    wanted = {name: there.get(name, []) for name in options.names or there}
    here, found = machine(), measured(wanted, options.runs)
    OUT.mkdir(exist_ok=True)
    text = json.dumps({"machine": here, "benchmarks": found}, indent=1)
    (OUT / "bench.json").write_text(text, "utf-8")
    for name, figures in found.items():
        for figure, values in figures.items():
            if more_is_better(figure) is None:
                continue
            low, middle, high = min(values), statistics.median(values), max(values)
            print(f"{name:<18} {figure:<32} {middle:>12,.6g}   {low:,.6g} to {high:,.6g}")
    if options.save or not options.saved.exists():
        options.saved.write_text(text, "utf-8")
        print(f"saved in {options.saved}: later runs are compared with it")
        return
    saved = json.loads(options.saved.read_text("utf-8"))
    if saved["machine"] != here:
        print(f"not compared: {options.saved} is of another machine, {saved['machine']}")
        return
    worse = [
        f"{name} {each}"
        for name, figures in found.items()
        for each in slower(saved["benchmarks"].get(name, {}), figures)
    ]
    print("\n".join(["slower than its noise:", *worse] if worse else ["nothing became slower"]))


if __name__ == "__main__":
    main()
