"""A base map for tests: tiles on a loopback port, white but for dots at given positions."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PIL import Image, ImageDraw

from tests.servers import Answer, Request, answering

TILE_PX = 256
RADIUS_PX = 4


class Dot(NamedTuple):
    """A dot at a position in the datum of the tiles [degrees]."""

    lat: float
    lng: float
    color: tuple[int, int, int]


def world_px(lat: float, lng: float, zoom: int) -> tuple[float, float]:
    """Web Mercator pixel of a position, from the north-west corner of the world."""
    size = TILE_PX * 2**zoom
    x = (lng + 180) / 360 * size
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * size
    return x, y


def draw_tile(zoom: int, column: int, row: int, dots: list[Dot]) -> bytes:
    """A PNG."""
    image = Image.new("RGB", (TILE_PX, TILE_PX), "white")
    pen = ImageDraw.Draw(image)
    for dot in dots:
        x, y = world_px(dot.lat, dot.lng, zoom)
        x, y = x - column * TILE_PX - 0.5, y - row * TILE_PX - 0.5
        pen.ellipse((x - RADIUS_PX, y - RADIUS_PX, x + RADIUS_PX, y + RADIUS_PX), fill=dot.color)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def serving_tiles(dots: list[Dot]) -> Iterator[str]:
    """Serve ``/{z}/{x}/{y}.png``, and give the address with its place holders."""

    def answer(asked: Request) -> Answer:
        found = re.fullmatch(r"/(\d+)/(\d+)/(\d+)\.png", asked.path)
        assert found
        zoom, column, row = map(int, found.groups())
        return Answer(200, draw_tile(zoom, column, row, dots), {"Content-Type": "image/png"})

    with answering(answer) as url:
        yield f"{url}/{{z}}/{{x}}/{{y}}.png"
