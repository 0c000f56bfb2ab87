"""What the API answers to a question that it cannot answer."""

from __future__ import annotations

import pytest

from tests.dashboards.conftest import Api


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("bikes/days?date=today", 400, "invalid_date"),
        ("bikes/days?date=2025-11-24", 400, "day_to_come"),
        ("bikes/days?cursor=nonsense", 400, "invalid_cursor"),
        ("bikes/days?limit=101", 422, "invalid_request"),
        ("bikes/bike-3/day", 404, "unknown_bike"),
        ("bikes/bike-03/day?vendor=helo", 404, "unknown_vendor"),
        ("coverage/cy-01?at=yesterday", 400, "invalid_time"),
        ("coverage/cy-01?at=2025-13-01", 400, "invalid_time"),
        ("coverage/cy-01?from=2025-11-23T09:00&to=2025-11-23T08:00", 400, "empty_window"),
        ("coverage/cy-01?to=2025-11-23T08:00", 400, "missing_from"),
        ("coverage/cy-01?from=2025-11-23T08:00&at=2025-11-23T08:00", 400, "at_with_window"),
        ("coverage/cy-01/days?from=yesterday", 400, "invalid_date"),
        ("coverage/cy-01/days?to=2025-11-31", 400, "invalid_date"),
        ("coverage/cy-01/days?from=2025-11-24T08:00", 400, "invalid_date"),
        ("coverage/cy-01/days?from=2025-11-24", 400, "empty_window"),
        ("coverage/cy-01/days?from=2024-11-22", 400, "too_many_days"),
        ("tracks?to=2025-11-23T09:00", 422, "invalid_request"),
        ("tracks?from=2025-11-23T09:00", 400, "empty_window"),
        ("tracks?from=2025-11-22T08:59:59&to=2025-11-23T09:00", 400, "span_too_long"),
        ("tracks?from=then", 400, "invalid_time"),
        ("tracks?from=2025-11-23T08:00&step_s=0", 422, "invalid_request"),
    ],
)
def test_a_wrong_question_is_a_named_problem(api: Api, path: str, status: int, reason: str) -> None:
    """Problem+json that names the reason, and of a value that cannot be, the parameter."""
    answer = api.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(reason)
    if status == 400:
        assert answer.json()["where"] in ("date", "cursor", "at", "from", "to")
