"""The supervisor starts a failed task again, and names its failure until then."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from patrol.supervisor import Supervisor


def test_a_failed_task_is_started_again_and_its_failure_known_until_then() -> None:
    """Any error is caught, foreseen or not."""
    supervisor = Supervisor(first_wait_s=0.01)
    troubles: list[str] = []
    errors: list[Exception] = [ValueError("unforeseen"), KeyError("nor this")]

    async def run() -> None:
        troubles.append(supervisor.failure("outbox"))
        if errors:
            raise errors.pop(0)

    async def scenario() -> None:
        running = supervisor.start("outbox", run)
        while not running.done():
            await asyncio.sleep(0)
            troubles.append(supervisor.failure("outbox"))
        await running

    asyncio.run(scenario())
    told = [
        word for word, before in zip(troubles, [None, *troubles], strict=False) if word != before
    ]
    assert told == ["", "ValueError: unforeseen", "", "KeyError: 'nor this'", ""]


def test_the_wait_doubles_and_is_short_again_after_a_good_while() -> None:
    """A failure once a month is not answered as the tenth in a row is."""

    def waits(steady_s: float) -> list[float]:
        errors = [OSError()] * 4

        async def run() -> None:
            if errors:
                raise errors.pop()

        async def scenario() -> None:
            await Supervisor(first_wait_s=0.01, steady_s=steady_s).start("influx", run)

        with capture_logs() as lines:
            asyncio.run(scenario())
        return [line["in_s"] for line in lines]

    assert waits(60.0) == [0.01, 0.02, 0.04, 0.08]
    assert waits(0.0) == [0.01] * 4


def test_tasks_end_by_themselves_or_are_cancelled() -> None:
    """At the end every task gets the time to finish; a task that does not is cancelled."""
    ended: list[str] = []

    async def scenario() -> dict[str, bool]:
        supervisor, enough = Supervisor(), asyncio.Event()

        async def finish() -> None:
            await enough.wait()
            ended.append("finished")

        async def linger() -> None:
            await asyncio.Event().wait()

        supervisor.start("outbox", finish)
        supervisor.start("evaluation", linger)
        web = supervisor.start_once("web", failing())
        await asyncio.wait({web})
        enough.set()
        await supervisor.end(within_s=0.05)
        return {name: task.cancelled() for name, task in supervisor.tasks.items()}

    async def failing() -> None:
        raise OSError("no port")

    assert asyncio.run(scenario()) == {"outbox": False, "evaluation": True, "web": False}
    assert ended == ["finished"]
