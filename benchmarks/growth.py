"""How cost grows with bikes, with what is remembered and with zones: `make bench-growth`.

Runs other benchmarks at some sizes, and draws what they say as curves into docs/images. One curve
is one SVG, drawn here: a library for it would be the largest of all that benchmarks need.

    python -m benchmarks.growth
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.__main__ import run

IMAGES = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 70, 150, 34, 46
COLOURS = "#0072b2", "#d55e00", "#009e73", "#cc79a7"  # Okabe and Ito (2008)

Curve = Sequence[tuple[float, float]]
"""Points (x, y), x from small to large, both positive."""


def ticks(top: float, bottom: float = 0.0) -> list[float]:
    """Round numbers from 0 to a top, or between two numbers on a logarithmic axis."""
    if bottom:
        decades = range(math.floor(math.log10(bottom)), math.ceil(math.log10(top)) + 1)
        return [m * 10.0**d for d in decades for m in (1, 2, 5) if bottom <= m * 10.0**d <= top]
    step = 10.0 ** math.floor(math.log10(top))
    step *= 0.2 if top / step < 2 else 0.5 if top / step < 5 else 1
    return [n * step for n in range(math.floor(top / step) + 1)]


def drawn(title: str, x_name: str, curves: Mapping[str, Curve], *, log: str = "") -> str:
    """The curves as an SVG, each with its name at its end; `log` names logarithmic axes."""
    xs = sorted({x for curve in curves.values() for x, _ in curve})
    ys = [y for curve in curves.values() for _, y in curve]
    first = xs[0] if "x" in log else 0.0
    bottom, top = min(ys) if "y" in log else 0.0, max(ys)

    def at(x: float, y: float) -> tuple[float, float]:
        along, up = _share(x, first, xs[-1]), _share(y, bottom, top)
        across, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + along * across, 1), round(HEIGHT - BOTTOM - up * height, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
        _text(LEFT, 20, title, 'font-size="14"'),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_name, 'text-anchor="middle"'),
    ]
    for x in xs:
        across, _ = at(x, top)
        parts.append(_text(across, HEIGHT - BOTTOM + 18, f"{x:,.0f}", 'text-anchor="middle"'))
    for y in ticks(top, bottom):
        _, down = at(first, y)
        parts.append(f'<path d="M{LEFT} {down}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 8, down + 4, f"{y:,.10g}", _END))
    for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
        points = [at(*point) for point in curve]
        line = " ".join(f"{x},{y}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(_text(points[-1][0] + 8, points[-1][1] + 4, name, f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>\n"])


_END = 'text-anchor="end"'


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between two others, by logarithms unless the lower is 0."""
    return math.log(value / low) / math.log(high / low) if low else value / high


def _text(x: float, y: float, text: str, more: str) -> str:
    return f'<text x="{x}" y="{y}" {more}>{escape(text)}</text>'


def by_bikes() -> str:
    """Microseconds of a message by the size of the fleet, in three groups of parts."""
    groups = {
        "a patrol": ("fleet", "quality", "context", "path_and_cells", "coverage"),
        "socket, disk": ("event_loop", "log_write", "log_read"),
        "JSON": ("decode",),
    }
    curves: dict[str, list[tuple[float, float]]] = {name: [] for name in ("all", *groups)}
    for bikes in (28, 500, 2_000, 20_000, 100_000):
        found = run("breakdown", ["--messages", "400000", "--bikes", str(bikes)])
        curves["all"].append((bikes, found["total_us"]))
        for name, group in groups.items():
            curves[name].append((bikes, sum(found[f"{part}_us"] for part in group)))
    return drawn("Processor time of one message [µs]", "bikes", curves, log="x")


def by_memory() -> str:
    """Memory by the bike-days that are remembered."""
    curves: dict[str, list[tuple[float, float]]] = {"held": [], "at most": []}
    for bikes in (28, 100, 200, 400):
        found = run("coverage_memory", ["--bikes", str(bikes)])
        curves["held"].append((bikes, found["held_mb"]))
        curves["at most"].append((bikes, found["peak_mb"]))
    return drawn("Memory with 35 days of coverage [MB]", "bikes", curves)


def by_zones() -> str:
    """Positions placed a second by the number of zones, beside shapely's STRtree."""
    sizes = "9,30,100,300,1000"
    found = run("placing", ["--zones", sizes, "--batches", "1000", "--cases", "0"])
    fine: list[dict[str, Any]] = found["rates"][: len(sizes.split(","))]
    curves = {
        name: [(each["zones"], each[f"{key}_per_s"]) for each in fine]
        for name, key in (("Zhixun", "zone_of"), ("STRtree", "strtree"))
    }
    return drawn("Positions placed a second, 1,000 at once", "zones", curves, log="xy")


def main() -> None:
    """Measure and draw all of them."""
    for name, curves in (("bikes", by_bikes), ("memory", by_memory), ("zones", by_zones)):
        file = IMAGES / f"growth-{name}.svg"
        file.write_text(curves(), "utf-8")
        print(file)


if __name__ == "__main__":
    main()
