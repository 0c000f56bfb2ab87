"""Delivery of lines to a store that may reject some: search for the ones at fault.

A store says that it rejects a request; it seldom says for which line. So a request that is
rejected is split until what is left is single lines that are rejected by themselves. Whether
that is the line's fault or the store's own trouble is then tried with the *control*: a line of
the last request that was taken, which is harmless to write again.

| a line is rejected, and the control | is |
| --- | --- |
| is taken, and the line rejected again, three times in all | rejected for good |
| is rejected too | kept; the store is in trouble |
| is not there, because nothing has been taken yet | kept, until something has |

So a store that rejects everything for a while, or a proxy that does, costs nothing but time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple

from ingest.errors import RequestTooLarge, StoreRejected, StoreUnavailable

PROOFS = 3
"""Rejections of a line, with the control taken in between, that prove it at fault."""

SUSPICIOUS = 16
"""Rejections in a row after which the control is written, to test the store."""


class Rejected(NamedTuple):
    """Lines that the store does not take, and why, in its own words."""

    lines: tuple[bytes, ...]
    reason: str


class RejectsEverything(StoreUnavailable):
    """The store does not take what it took before, or has taken nothing yet."""


@dataclass
class _Doubt:
    """Lines that were rejected by themselves, and how often; nearly always a single one."""

    lines: list[bytes]
    reason: str
    times: int = 1


@dataclass
class Gate:
    """The store, and what is known of it from one delivery to the next."""

    write: Callable[[bytes], None]
    written: int = 0  # lines that were taken
    _control: bytes | None = None
    _in_a_row: int = 0

    def offer(self, lines: Sequence[bytes]) -> None:
        """Write lines; raises what the store raises.

        RejectsEverything: so many requests were rejected in a row that it must be the store.
        """
        try:
            self.write(b"".join(lines))
        except StoreRejected as exc:
            self._in_a_row += 1
            if self._in_a_row % SUSPICIOUS == 0:
                self.confirm(exc)
            raise
        self._in_a_row = 0
        self._control = lines[-1]
        self.written += len(lines)

    def confirm(self, rejection: StoreRejected) -> None:
        """Make sure that the store takes anything at all just now.

        RejectsEverything: the store takes nothing.
        """
        if self._control is None:
            raise RejectsEverything(f"{rejection} and has taken nothing yet") from rejection
        try:
            self.write(self._control)
        except (StoreRejected, RequestTooLarge) as exc:
            raise RejectsEverything(f"{exc}, also what it took before") from exc


@dataclass
class Delivery:
    """Lines on their way to the store; what was achieved is kept when an attempt fails."""

    lines: InitVar[bytes]
    rejected: list[Rejected] = field(default_factory=list)
    _pending: list[list[bytes]] = field(default_factory=list)
    _doubts: list[_Doubt] = field(default_factory=list)

    def __post_init__(self, lines: bytes) -> None:
        if lines:
            self._pending.append(lines.splitlines(keepends=True))

    @property
    def done(self) -> bool:
        """Whether every line was taken or rejected for good."""
        return not (self._pending or self._doubts)

    def attempt(self, gate: Gate) -> None:
        """Go on until :attr:`done`.

        StoreUnavailable, StoreThrottled: back off, and attempt again.
        """
        try:
            while self._pending:
                self._offer(gate, self._pending[-1])
        except RejectsEverything:
            self._start_over()
            raise
        while self._doubts:
            self._settle(gate, self._doubts[-1])
            self._doubts.pop()

    def _offer(self, gate: Gate, part: list[bytes]) -> None:
        try:
            gate.offer(part)
        except RequestTooLarge as exc:
            self._pending.pop()
            if len(part) > 1:
                self._split(part)
            else:
                self.rejected.append(Rejected((part[0],), str(exc)))
        except StoreRejected as exc:
            self._pending.pop()
            if len(part) > 1 and exc.indices is None:
                self._split(part)
            else:
                self._doubts.append(_Doubt(part, str(exc)))
        else:
            self._pending.pop()

    def _settle(self, gate: Gate, doubt: _Doubt) -> None:
        while doubt.times < PROOFS:
            gate.confirm(StoreRejected(doubt.reason))
            try:
                gate.offer(doubt.lines)
            except StoreRejected as exc:
                doubt.reason = str(exc)
                doubt.times += 1
            else:
                return
        self.rejected.append(Rejected(tuple(doubt.lines), doubt.reason))

    def _split(self, part: list[bytes]) -> None:
        middle = len(part) // 2
        self._pending += [part[middle:], part[:middle]]

    def _start_over(self) -> None:
        """Join what was split: it may have been split for the store's own trouble."""
        rest = [line for part in reversed(self._pending) for line in part]
        self._pending = [rest]
