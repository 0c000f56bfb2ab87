"""The lifecycle table, every state by every event."""

from __future__ import annotations

import pytest

from alerts.alert import Alert, Transition, apply
from alerts.errors import TransitionRefused
from alerts.findings import Finding, steps
from alerts.lifecycle import EVENTS, REFUSALS, STATES, TABLE, next_state, state_before

# Rows are states, columns events; "." is refused. Written out again on purpose.
GRID = """
              raise   activate drop    acknowledge  assign       note         return   reopen shelve  unshelve unshelve_returned close  void   escalate undo
none          pending .        .       .            .            .            .        .      .       .        .                 .      .        .      .
pending       .       active   dropped .            .            .            .        .      .       .        .                 .      .        .      .
active        .       .        .       acknowledged active       active       returned .      shelved .        .                 .      voided   active .
acknowledged  .       .        .       .            acknowledged acknowledged returned .      shelved .        .                 .      voided   .      .
returned      .       .        .       .            returned     returned     .        active shelved .        .                 closed voided   .      .
shelved       .       .        .       .            shelved      shelved      .        .      .       active   returned          .      voided   .      .
closed        .       .        .       .            .            .            .        .      .       .        .                 .      .        .      .
voided        .       .        .       .            .            .            .        .      .       .        .                 .      .        .      .
dropped       .       .        .       .            .            .            .        .      .       .        .                 .      .        .      .
"""  # noqa: E501
_HEAD, *_ROWS = [line.split() for line in GRID.strip().splitlines()]
CASES = [(row[0], event, to) for row in _ROWS for event, to in zip(_HEAD, row[1:], strict=True)]


# Rows are states, columns what led there and is undone; where that leads back, "." is refused.
BACK = """
              acknowledge assign       note         shelve                       unshelve unshelve_returned close
active        .           active       active       .                            shelved  .                 .
acknowledged  active      acknowledged acknowledged .                            .        .                 .
returned      .           returned     returned     .                            .        shelved           .
shelved       .           shelved      shelved      active,acknowledged,returned .        .                 .
closed        .           .            .            .                            .        .                 returned
"""  # noqa: E501
_BACK_HEAD, *_BACK_ROWS = [line.split() for line in BACK.strip().splitlines()]
WAYS_BACK = {
    (before, event, row[0])
    for row in _BACK_ROWS
    for event, cell in zip(_BACK_HEAD, row[1:], strict=True)
    for before in cell.split(",")
    if before != "."
}


def test_the_grid_names_every_state_and_event() -> None:
    assert {state for state, _, _ in CASES} == set(STATES)
    assert set(_HEAD) == set(EVENTS)
    assert len(TABLE) == sum(to != "." for *_, to in CASES)


@pytest.mark.parametrize(("state", "event", "to"), CASES)
def test_every_state_and_event(state, event, to) -> None:
    """What the table allows leads where it says; everything else is refused by name."""
    if to != ".":
        assert next_state(state, event) == to
        return
    with pytest.raises(TransitionRefused) as refused:
        next_state(state, event)
    assert refused.value.reason in REFUSALS
    assert refused.value.detail == REFUSALS[refused.value.reason]


@pytest.mark.parametrize("event", EVENTS)
def test_an_undo_goes_back_along_an_arrow_that_a_person_went_along(event) -> None:
    """Whatever else somebody wants to undo is refused by name."""
    for before in STATES:
        for state in STATES:
            if (before, event, state) in WAYS_BACK:
                assert state_before(before, event, state) == before
                continue
            with pytest.raises(TransitionRefused) as refused:
                state_before(before, event, state)
            assert refused.value.reason == "nothing_to_undo"


@pytest.mark.parametrize(
    ("state", "event", "reason"),
    [
        ("active", "close", "not_returned"),
        ("acknowledged", "acknowledge", "already_acknowledged"),
        ("returned", "acknowledge", "already_returned"),
        ("active", "unshelve", "not_shelved"),
        ("shelved", "close", "already_shelved"),
        ("pending", "acknowledge", "not_active_yet"),
        ("closed", "note", "already_closed"),
        ("voided", "close", "already_voided"),
        ("dropped", "acknowledge", "never_raised"),
        ("closed", "undo", "nothing_to_undo"),
    ],
)
def test_refusals_say_which_rule_of_the_lifecycle_forbids_it(state, event, reason) -> None:
    with pytest.raises(TransitionRefused) as refused:
        next_state(state, event)
    assert refused.value.reason == reason


def alert(state: str, **fields: object) -> Alert:
    identity = {"alert_id": "A000001", "rule": "zone_unpatrolled", "severity": "critical"}
    rest = {"subject": "zone", "zone_id": "Z01", "bike": None}
    window = {"window_from_ms": None, "window_to_ms": None}
    return Alert(**identity, **rest, **window, state=state, **fields)


@pytest.mark.parametrize(
    ("before", "verdict", "now_s", "expected"),
    [
        (None, "hold", 0, ["raise"]),
        (None, "clear", 0, []),
        (None, "unknown", 0, []),
        (alert("pending", opened_at_ms=0), "hold", 59, []),
        (alert("pending", opened_at_ms=0), "hold", 60, ["activate"]),
        (alert("pending", opened_at_ms=0), "clear", 30, ["drop"]),
        (alert("pending", opened_at_ms=0), "never", 30, ["drop"]),
        (alert("pending", opened_at_ms=0), "unknown", 90, ["drop"]),
        (alert("active"), "hold", 90, []),
        (alert("active"), "unknown", 90, []),
        (alert("active"), "clear", 90, ["return"]),
        (alert("active"), "never", 90, ["void"]),
        (alert("acknowledged"), "clear", 90, ["return"]),
        (alert("acknowledged"), "never", 90, ["void"]),
        (alert("returned", returned_at_ms=0), "clear", 119, []),
        (alert("returned", returned_at_ms=0), "clear", 120, ["close"]),
        (alert("returned", returned_at_ms=0), "unknown", 120, ["close"]),
        (alert("returned", returned_at_ms=0), "hold", 10, ["reopen"]),
        (alert("returned", returned_at_ms=0), "never", 10, ["void"]),
        (alert("shelved", shelved_until_ms=100_000), "hold", 99, []),
        (alert("shelved", shelved_until_ms=100_000), "clear", 99, []),
        (alert("shelved", shelved_until_ms=100_000), "never", 99, ["void"]),
        (alert("shelved", shelved_until_ms=100_000), "hold", 100, ["unshelve"]),
        (alert("shelved", shelved_until_ms=100_000), "clear", 100, ["unshelve_returned"]),
        (alert("shelved", shelved_until_ms=100_000), "unknown", 100, ["unshelve"]),
        (
            alert("shelved", shelved_until_ms=100_000, shelved_from="returned"),
            "unknown",
            100,
            ["unshelve_returned"],
        ),
    ],
)
def test_what_happens_by_itself(before, verdict, now_s, expected) -> None:
    """With a delay of 60 s and a hold of 120 s."""
    todo = steps(
        before,
        Finding(verdict, "because", {}),
        now_s * 1000,
        delay_s=60,
        hold_s=120,
        auto_close=True,
    )
    assert [step.event for step in todo] == expected
    state = before.state if before else "none"
    for step in todo:
        state = next_state(state, step.event)


def test_without_delay_and_hold_it_goes_all_the_way_at_once() -> None:
    now = {"delay_s": 0, "hold_s": 0, "auto_close": True}
    raised = steps(None, Finding("hold", "idle", {}), 0, **now)
    assert [step.event for step in raised] == ["raise", "activate"]
    ended = steps(alert("active"), Finding("clear", "patrolled", {}), 0, **now)
    assert [step.event for step in ended] == ["return", "close"]


def test_a_policy_without_auto_close_leaves_closing_to_a_person() -> None:
    finding = Finding("clear", "patrolled", {})
    before = alert("returned", returned_at_ms=0)
    assert not steps(before, finding, 10**9, delay_s=0, hold_s=0, auto_close=False)


def test_an_alert_is_the_sum_of_its_rows() -> None:
    """Reopening counts and forgets who acknowledged; shelving remembers where it was."""
    path = [
        ("raise", "system"),
        ("activate", "system"),
        ("acknowledge", "li"),
        ("return", "system"),
        ("reopen", "system"),
        ("acknowledge", "wang"),
        ("shelve", "wang"),
    ]
    now = alert("none")
    for seq, (event, actor) in enumerate(path, start=1):
        row = Transition(
            seq=seq,
            alert_id="A000001",
            rule=now.rule,
            severity=now.severity,
            zone_id="Z01",
            bike=None,
            event=event,
            from_state=now.state,
            to_state=next_state(now.state, event),
            actor=actor,
            at_ms=seq * 1000,
            until_ms=99_000 if event == "shelve" else None,
        )
        now = apply(now, row)
        if event == "reopen":
            assert (now.reopened, now.acknowledged_by, now.returned_at_ms) == (1, None, None)
    assert (now.state, now.shelved_from, now.shelved_until_ms) == (
        "shelved",
        "acknowledged",
        99_000,
    )
    assert (now.opened_at_ms, now.activated_at_ms, now.acknowledged_by) == (1000, 2000, "wang")
    assert [row.event for row in now.history] == [event for event, _ in path]
