"""The web server, as a part of the station rather than a program of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from patrol.errors import Unreachable


class WebServer(uvicorn.Server):
    """A uvicorn that leaves signals and the process to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone: on SIGTERM the intake ends first, and the web last."""
        yield

    async def run_until_told(self) -> None:
        """Serve until `should_exit` is set.

        Raises
        ------
        Unreachable
            It cannot listen: the port was free a moment ago, and is not any more.
        """
        # It ends the process when it cannot listen, and says why before.
        with suppress(SystemExit):
            await self.serve()
        if not self.started:
            host, port = self.config.host, self.config.port
            raise Unreachable(
                f"the console cannot listen on port {port} of {host}: stop what listens there, "
                "or choose another port"
            )
