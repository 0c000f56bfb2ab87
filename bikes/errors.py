"""Errors of messages from bikes."""

from __future__ import annotations

from typing import Literal, get_args

RejectReason = Literal[
    "not_json",
    "schema",
    "out_of_range",
    "device_mismatch",
    "unknown_vendor",
    "unknown_bike",
    "too_large",
    "too_many",
    "future_timestamp",
    "too_old",
    "over_budget",
]
"""Why a message, or one item of an array, was not accepted."""

REJECT_REASONS: tuple[RejectReason, ...] = get_args(RejectReason)


class BikesError(Exception):
    """Root of the errors of this package."""


class DecodeError(BikesError):
    """A payload that cannot be accepted: reject it, count it, go on.

    Log lines, metrics and reject messages use the word of the `reason`; the `detail` tells the
    vendor's engineer what exactly is wrong, the `index` where the item is in an array.
    """

    def __init__(self, reason: RejectReason, detail: str, index: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: RejectReason = reason
        self.detail = detail
        self.index = index


class UnknownVendor(BikesError):
    """No vendor of that name is configured."""


class UnknownBike(BikesError):
    """The vendor is configured with a list of bikes and this one is not on it."""
