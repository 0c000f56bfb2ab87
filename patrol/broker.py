"""The embedded broker of the demo: amqtt, in a process of its own.

It speaks MQTT 3.1.1 only and keeps nothing over a restart. For anything but the demo run
mosquitto. The process ends when its standard input does, so it cannot outlive its parent,
however that ends.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from patrol.errors import Unreachable

READY = b"ready\n"
START_S, STOP_S = 20.0, 5.0


@contextmanager
def embedded_broker(port: int) -> Iterator[None]:
    """An MQTT broker on a free port of 127.0.0.1, for as long as the context lasts.

    Unreachable: it did not start; why, it has said on stderr.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "patrol.broker", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != READY:
            raise Unreachable("the embedded broker did not start; see above for what it said")
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


async def _serve(port: int) -> None:
    from amqtt.broker import Broker

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {
                "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
            },
        }
    )
    await asyncio.wait_for(broker.start(), START_S)
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    await broker.shutdown()


def main() -> None:
    """Serve until standard input ends."""
    # Ctrl-C reaches the whole terminal; the parent says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Every message would be logged otherwise.
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
