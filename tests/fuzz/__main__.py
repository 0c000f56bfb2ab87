"""Fuzz every edge with atheris, which follows the branches that inputs take; prints JSON.

`make fuzz ARGS="--inputs 10000000"`. Each target runs in a process of its own, which goes on after
an error. Whatever it finds slow is measured again here, where no coverage is watched.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

LIMIT_S = 0.1
"""Processor time that an input may take."""
WATCHED = ["alerts", "bikes", "dashboards", "geofence", "ingest", "patrol", "words"]
WATCHED += ["tomllib", "icalendar", "recurring_ical_events", "dateutil"]


class Watch:
    """Runs a target, and remembers its errors and its slowest inputs."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self.inputs, self.slowest, self.began_s = 0, [(0.0, b"")], time.monotonic()
        self.errors: dict[str, str] = {}

    def __call__(self, data: bytes) -> None:
        began_s = time.thread_time()
        try:
            self._run(data)
        except Exception as exc:  # noqa: BLE001  # it goes on
            where = traceback.extract_tb(exc.__traceback__)[-1]
            name = f"{type(exc).__name__} in {Path(where.filename).name}:{where.lineno}"
            self.errors.setdefault(name, f"{exc!s:.200} for {data[:500]!r}")
        took_s = time.thread_time() - began_s
        self.inputs += 1
        if took_s > self.slowest[0][0]:
            self.slowest = sorted([*self.slowest, (took_s, data)])[-5:]

    def report(self) -> dict[str, Any]:
        """What there is to say of the run."""
        return {
            "inputs": self.inputs,
            "seconds": round(time.monotonic() - self.began_s, 1),
            "processor_seconds": round(time.process_time(), 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "errors": self.errors,
            "slowest": [data.hex() for _, data in self.slowest],
        }


def fuzz(name: str, inputs: int, report: Path) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=WATCHED):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    watch = Watch(target.run)

    def run(data: bytes) -> None:
        watch(data)
        if watch.inputs >= inputs:
            report.write_text(json.dumps(watch.report()))
            os._exit(0)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 4:
            return bytes(atheris.Mutate(data, max_size))
        chance = random.Random(seed)
        begin = chance.randint(0, len(data))
        end = begin + chance.randint(0, 24)
        again = data[begin:end] * chance.choice([2, 20, 200])
        piece = chance.choice([again, *target.words])
        return (data[:begin] + piece + data[end:])[:max_size]

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        options = ["-max_len=8192", "-timeout=60", "-rss_limit_mb=2048", "-seed=1", "-verbosity=0"]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={corpus}/", corpus],
            run,
            custom_mutator=mutate,
        )
        atheris.Fuzz()


def plain_s(run: Any, data: bytes) -> float:
    """Processor time of an input where nothing is watched, at the second try [s]."""
    took_s = 0.0
    for _ in range(2):
        began_s = time.thread_time()
        run(data)
        took_s = time.thread_time() - began_s
    return took_s


def main() -> None:
    """Spread the inputs over the targets, and print what was found."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--targets", nargs="*", help="some of them only")
    parser.add_argument("--one", nargs=3, help="used by itself: target, inputs, report")
    given = parser.parse_args()
    if given.one:
        fuzz(given.one[0], int(given.one[1]), Path(given.one[2]))
    from tests.fuzz.targets import TARGETS

    failed = False
    for name in given.targets or TARGETS:
        target, inputs = TARGETS[name], given.inputs * TARGETS[name].share // 1000
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(inputs), str(report)]
            inside = os.environ | {"TMPDIR": folder, "RUST_BACKTRACE": "0"}
            done = subprocess.run(command, check=False, capture_output=True, env=inside)
            found = {"errors": {f"ended by {done.returncode}": done.stderr[-2000:].decode()}}
            if report.exists():
                found = json.loads(report.read_text())
        slowest = [bytes.fromhex(each) for each in found.pop("slowest", [])]
        times = [plain_s(target.run, data) for data in slowest] if not found["errors"] else []
        found["worst_ms"] = round(max(times, default=0) * 1000, 1)
        if found["worst_ms"] > LIMIT_S * 1000:
            worst = slowest[times.index(max(times))]
            found["errors"]["too slow"] = worst[:500].hex()
        failed |= bool(found["errors"])
        print(json.dumps({"target": name, **found}), flush=True)
    sys.exit(failed)


main()
