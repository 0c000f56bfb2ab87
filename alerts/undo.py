"""Whether somebody can take back what they have just done to an alert. Pure."""

from __future__ import annotations

from typing import Final

from alerts.alert import Alert, Transition
from alerts.lifecycle import UNDOABLE, State, refused, state_before

SYSTEM: Final = "system"
"""The actor of what happens by itself."""
UNDO_S: Final = 10.0
"""How long it can be taken back, on the wall's clock [s]."""


def undo_until_ms(row: Transition, within_ms: int) -> int | None:
    """Until when a row can be taken back, as long as it is its alert's last; None: never."""
    if row.actor == SYSTEM or row.event not in UNDOABLE:
        return None
    return row.at_ms + within_ms


def undoing(alert: Alert, actor: str, now_ms: int, within_ms: int, *, raised_again: bool) -> State:
    """The state to which `actor` takes an alert back by undoing the last that happened to it.

    Parameters
    ----------
    alert : Alert
        The alert, over or not.
    actor : str
        Who wants to.
    now_ms : int
        When.
    within_ms : int
        How long what was done can be taken back, on the clock of `now_ms` [ms].
    raised_again : bool
        Whether another alert of its key is open by now: there is never more than one.

    Raises
    ------
    TransitionRefused
        With the named reason.
    """
    last = alert.history[-1]
    until_ms = undo_until_ms(last, within_ms)
    if until_ms is None:
        raise refused("nothing_to_undo")
    if actor != last.actor:
        raise refused("not_yours")
    if now_ms > until_ms:
        raise refused("too_late_to_undo")
    if raised_again:
        raise refused("raised_again")
    return state_before(last.from_state, last.event, last.to_state)
