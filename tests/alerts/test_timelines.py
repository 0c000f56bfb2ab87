"""Whatever happens to an evaluator over time: restarts, odd orders, many zones."""

from __future__ import annotations

import time
from datetime import datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluator import Evaluator
from alerts.lifecycle import TABLE
from alerts.plan import Policies
from alerts.store.book import AlertBook

from .district import OFF, POLICY, SHANGHAI, District, FakePatrols, at, evaluated


def test_a_restart_continues_without_repeating_anything(tmp_path) -> None:
    """An evaluator that is new at every evaluation does the same as one that stays."""
    kept = District(frequency="2h")
    for when in ("23 11:00", "24 09:00", "24 14:00"):
        kept.patrols.patrol("Z01", when, cells=8)
    expected = kept.run("23 07:00", "24 19:00", step_s=120)
    assert len(expected) > 10

    happened = []
    for now_ms in range(at("23 07:00"), at("24 19:00") + 1, 120_000):
        book = AlertBook(tmp_path / "alerts.db")
        evaluation = evaluated(Evaluator(kept.policies, kept.record, book, off=OFF), now_ms)
        happened += [f"{t.zone_id}/{t.rule} {t.event}" for t in evaluation.transitions]
        book.close_file()
    assert happened == [event for _, event in expected]


ORDERS = [
    {"paused": "typhoon"},
    {"frequency": "30m"},
    {"frequency": "5h"},
    {"target": 0.3},
    {"window": "day"},
    {"hours": ["Mon-Sun 06:00-22:00"]},
]


@settings(max_examples=15)
@given(
    patrols=st.lists(
        st.tuples(st.integers(0, 2400), st.sampled_from([0, 0, 40, 400]), st.integers(1, 10)),
        max_size=8,
    ),
    campaigns=st.lists(
        st.tuples(st.integers(0, 2400), st.integers(5, 900), st.sampled_from(ORDERS)), max_size=3
    ),
    policy=st.fixed_dictionaries(
        {
            "window": st.sampled_from(["shift", "day"]),
            "target": st.sampled_from([0.3, 0.8]),
            "look_back": st.sampled_from(["1h", "4h"]),
            "close_hold": st.sampled_from(["0s", "60s", "2h"]),
        }
    ),
    step_min=st.sampled_from([23, 60]),
)
def test_whatever_happens_every_record_is_a_walk_and_no_restart_shows(
    patrols, campaigns, policy, step_min, tmp_path_factory
) -> None:
    """Patrols that come in late, campaigns and pauses; once with a restart before each look."""
    begin, minute = at("23 08:00"), 60_000

    def local(at_min: int) -> str:
        return datetime.fromtimestamp(begin / 1000 + at_min * 60, SHANGHAI).isoformat()

    ordered = {
        f"c{n}": {"zones": ["Z01"], "from": local(start), "to": local(start + took), **keys}
        for n, (start, took, keys) in enumerate(campaigns)
    }

    def timeline(*, restarts: bool) -> list[tuple[str, str, str, str, int]]:
        path = tmp_path_factory.mktemp("book") / "alerts.sqlite"
        district = District(book=AlertBook(path), campaigns=ordered, off=(), **policy)
        for now_min in range(0, 2 * 1440, step_min):
            record = district.patrols
            record.visits["Z01"] = [
                (begin + (end - n) * minute, n, "hello/B01")
                for end, late, cells in patrols
                if end + late <= now_min
                for n in range(cells)
            ]
            if restarts:
                district.book.close_file()
                district = District(book=AlertBook(path), campaigns=ordered, off=(), **policy)
                district.patrols.visits = record.visits
            district.evaluate(begin + now_min * minute)
        rows = district.book.transitions(limit=10_000)
        district.book.close_file()
        return [(r.alert_id, r.event, r.from_state, r.to_state, r.at_ms) for r in rows]

    found = timeline(restarts=False)
    where: dict[str, str] = {}
    for alert_id, event, from_state, to_state, _ in found:
        assert from_state == where.get(alert_id, "none")
        assert TABLE[from_state, event] == to_state
        where[alert_id] = to_state
    assert timeline(restarts=True) == found


def test_thousands_of_zones_take_a_fraction_of_a_second() -> None:
    """2,000 zones, all of them overdue and short: the time of one evaluation is bounded."""
    names = [f"Z{i:04}" for i in range(2000)]
    patrols = FakePatrols(*names)
    policies = Policies.parse(dict.fromkeys(names, "core"), {"core": POLICY}, SHANGHAI)
    evaluator = Evaluator(policies, lambda now_ms: patrols, AlertBook(":memory:"))
    for when in ("23 17:50", "23 18:00", "24 10:00", "24 10:05"):
        patrols.now_ms = at(when)
        evaluated(evaluator, at(when))
    assert len(evaluated(evaluator, at("24 10:06")).statuses) == 2000
    begin_s = time.process_time()  # whatever else runs
    for second in range(3):
        evaluated(evaluator, at("24 10:07") + second * 1000)
    assert (time.process_time() - begin_s) / 3 < 1.0
