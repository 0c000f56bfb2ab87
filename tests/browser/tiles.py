"""A base map for tests: tiles on a loopback port, white but for dots at given positions."""

from __future__ import annotations

import io
import math
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple

from PIL import Image, ImageDraw

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


class TileServer:
    """Serves ``/{z}/{x}/{y}.png`` while the context lasts."""

    def __init__(self, dots: list[Dot]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = re.fullmatch(r"/(\d+)/(\d+)/(\d+)\.png", self.path)
                assert asked
                zoom, column, row = map(int, asked.groups())
                png = draw_tile(zoom, column, row, dots)
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.send_header("Content-Length", str(len(png)))
                self.end_headers()
                self.wfile.write(png)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/{{z}}/{{x}}/{{y}}.png"

    def __enter__(self) -> TileServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
