"""`patrol run` whose clock shows what a test says: python -m tests.faults.told_time CONFIG FILE."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path

from patrol import cli_output, web
from patrol.assembly import district_of, filters_of, mqtt_options
from patrol.clock import Clock
from patrol.config.settings import load_with_zones
from patrol.process import log_to_stderr, run_until_signalled
from patrol.station import Station


class ToldClock(Clock):
    """The wall's time, moved by as many milliseconds as a file says."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_ms(self) -> int:
        return super().now_ms() + int(self._file.read_text())


def main(config: Path, file: Path) -> None:
    """Run a station until SIGTERM."""
    log_to_stderr("INFO")
    settings, zones = load_with_zones(config)
    clock = ToldClock(file)

    async def life(stop: asyncio.Event) -> None:
        with closing(web.access_of(settings)) as access:
            station = Station(
                district=district_of(settings, zones, clock.now_ms()),
                folder=settings.storage.path,
                inlet=mqtt_options(settings.mqtt, filters=filters_of(settings)),
                publisher=mqtt_options(settings.mqtt),
                host=settings.http.host,
                port=settings.http.port,
                clock=clock,
                access=access,
            )
            await cli_output.log_life(station, stop)

    run_until_signalled(life)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
