"""Messages that go out, and the queue in which they wait: of what is so now, only the newest."""

from __future__ import annotations

from collections import OrderedDict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

GivenUp = Literal["dropped", "replaced", "refused"]
"""Why a message will not be sent: there was no room, a newer one says it better, or the broker
does not take it."""
Outcome = Literal["published"] | GivenUp
"""What became of a message; published is one that the broker acknowledged."""


@dataclass(eq=False, slots=True)
class Outgoing:
    """A message and the promise that was made for it."""

    # As in MQTT.
    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1
    # True when it was delivered, False when it never will be. It cannot be cancelled: the message
    # goes out, whether somebody still waits for it or not.
    done: Future[bool] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # Otherwise one that is cancelled while it is settled ends the thread that settles it.
        self.done.set_running_or_notify_cancel()

    def settle(self, delivered: bool) -> None:
        """Keep the promise; only the first call counts. Callbacks run in this thread."""
        if not self.done.done():
            self.done.set_result(delivered)


class OutgoingQueue:
    """A bounded queue in which a retained topic has one message, its newest.

    Retained messages, which say how things are now, go first and are given up last.
    Not thread-safe.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._retained: OrderedDict[str, Outgoing] = OrderedDict()
        self._others: deque[Outgoing] = deque()

    def __len__(self) -> int:
        return len(self._retained) + len(self._others)

    def put(self, message: Outgoing) -> list[tuple[Outgoing, GivenUp]]:
        """Add a message at the end and return what was given up for it."""
        given_up: list[tuple[Outgoing, GivenUp]] = []
        if message.retain:
            older = self._retained.pop(message.topic, None)
            if older is not None:
                given_up.append((older, "replaced"))
            self._retained[message.topic] = message
        else:
            self._others.append(message)
        if len(self) > self._limit:
            oldest = self._others.popleft() if self._others else self._oldest_retained()
            given_up.append((oldest, "dropped"))
        return given_up

    def take(self) -> Outgoing:
        """Remove and return the message that is to be sent next; IndexError when empty."""
        return self._oldest_retained() if self._retained else self._others.popleft()

    def put_back(self, messages: list[Outgoing]) -> list[tuple[Outgoing, GivenUp]]:
        """Return messages that were taken, in order, to the front; the limit does not count.

        A retained one is given up when a newer one of its topic has come since.
        """
        given_up: list[tuple[Outgoing, GivenUp]] = []
        for message in reversed(messages):
            if not message.retain:
                self._others.appendleft(message)
            elif message.topic in self._retained:
                given_up.append((message, "replaced"))
            else:
                self._retained[message.topic] = message
                self._retained.move_to_end(message.topic, last=False)
        return given_up

    def _oldest_retained(self) -> Outgoing:
        return self._retained.popitem(last=False)[1]
