"""Accounts: what became of every item of telemetry, by vendor.

Of the items that were read from the log

    received = stored + rejected + duplicate

and of the messages in it, whose items are known once they are read,

    received = read + in flight
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.rejects import OTHER


class Account(NamedTuple):
    """Items of one vendor, cumulative."""

    received: int = 0
    rejected: int = 0
    duplicate: int = 0
    """Accepted ones that were there already."""

    @property
    def accepted(self) -> int:
        """Items that were not rejected."""
        return self.received - self.rejected

    @property
    def stored(self) -> int:
        """Different fixes; they are in the log or the archive."""
        return self.accepted - self.duplicate


Accounts = Mapping[str, Account]
"""Those of all vendors of the configuration, and :data:`OTHER` for everybody else."""


def total(accounts: Accounts) -> Account:
    """All of them together."""
    return Account(*map(sum, zip(*accounts.values(), strict=True)))


@dataclass
class Books:
    """Columns of the accounts, in which items are entered; for one thread."""

    received: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    duplicate: Counter[str] = field(default_factory=Counter)

    def open(self, accounts: Mapping[str, Iterable[int]]) -> None:
        """Begin with what is known of some vendors; nothing is known of others."""
        for vendor, account in {OTHER: Account(), **accounts}.items():
            self.received[vendor], self.rejected[vendor], self.duplicate[vendor] = account

    def accounts(self) -> Accounts:
        """As they are now."""
        columns = self.received, self.rejected, self.duplicate
        return {name: Account(*(column[name] for column in columns)) for name in self.received}
