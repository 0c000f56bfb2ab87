"""Errors of policies, alerts, their book and their notifications.

The class tells the caller what to do: a :class:`PolicyError` is for the administrator,
before anything starts; a :class:`Refused` is for the person who asked; a
:class:`BookUnavailable` is temporary, so back off and evaluate again; a
:class:`NotificationFailed` is retried by the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence

from geofence.errors import Problem as Problem


class AlertsError(Exception):
    """Root of the errors of this package."""


class PolicyError(AlertsError):
    """Policies, campaigns, patrol hours or calendars that cannot be used.

    `problems` is everything that is wrong, each with its key.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = list(problems)


class Refused(AlertsError):
    """The request of a person is refused for a named reason, and nothing was changed.

    `detail` says to people what to do instead.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TransitionRefused(Refused):
    """The lifecycle forbids it; the reason is one of :data:`alerts.lifecycle.REFUSALS`."""


class OrderRefused(Refused):
    """A pause or campaign cannot be; the reason is one of :data:`alerts.orders.REFUSALS`."""


class UnknownOrder(AlertsError):
    """There is no campaign and no pause with this name."""


class UnknownAlert(AlertsError):
    """The book has no alert with this id."""


class BookError(AlertsError):
    """Root of the errors of the durable book."""


class BookUnavailable(BookError):
    """The book cannot be written or read now (disk full, locked): nothing was recorded."""


class BookUnreadable(BookError):
    """The file is not a book, is damaged, or was written by a newer version."""


class NotificationFailed(AlertsError):
    """A notification did not arrive; the outbox tries again."""
