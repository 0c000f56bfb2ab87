"""The canary: what is remembered of those that do not come back."""

from __future__ import annotations

import asyncio

from patrol.canary import REMEMBERED, Canary


def test_a_line_that_is_broken_for_long_is_remembered_in_bounds() -> None:
    """The newest may still come back, and the oldest tells how long none has."""
    sent: list[bytes] = []

    async def scenario() -> None:
        many = asyncio.Event()

        def send(name: bytes) -> None:
            sent.append(name)
            if len(sent) == 2 * REMEMBERED:
                many.set()

        canary = Canary(send, lambda: True, every_s=1e-5)
        sending = asyncio.create_task(canary.run())
        await many.wait()
        lost_s = canary.lost_s
        assert lost_s is not None
        canary.seen(sent[1])
        assert not canary.came, "it is forgotten"
        canary.seen(sent[-1])
        assert canary.came
        assert canary.lost_s == 0.0
        sending.cancel()

    asyncio.run(scenario())
