"""Two runs of benchmarks beside each other: what is told, and what is noise."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import figures_of, short_runs
from benchmarks.comparison import more_is_better, slower


@pytest.mark.parametrize(
    ("figure", "saved", "now", "told"),
    [
        ("rate_per_s", [100, 101, 99], [80, 81, 79], True),
        ("rate_per_s", [100, 101, 99], [120, 121, 119], False),
        ("wait_ms", [10, 10.1, 10.2], [13, 13.2, 13.1], True),
        ("wait_ms", [10, 10.1, 10.2], [8, 8.1, 8.2], False),
        ("wait_ms", [10, 10, 10], [10.4, 10.4, 10.4], False),  # below the least noise
        ("wait_ms", [10, 14, 12], [12.5, 12.5, 12.5], False),  # the saved runs differ by more
        ("wait_ms", [10, 10, 10], [13, 18, 15], False),  # these do
        ("one.wait_ms", [10], [20], True),  # one run has no noise but the least
        ("messages", [10, 10, 10], [20, 20, 20], False),  # a count
        ("wait_ms", [0, 0, 0], [1, 1, 1], False),  # nothing can be said of a share of 0
    ],
)
def test_slower_than_noise_is_told(
    figure: str, saved: list[float], now: list[float], told: bool
) -> None:
    """The best of the runs is compared, and a difference within the noise of either is none."""
    assert [each.figure for each in slower({figure: saved}, {figure: now})] == [figure] * told


def test_what_only_one_run_has_is_left_out() -> None:
    """A new benchmark has nothing to be compared with, and one that is gone is not slower."""
    assert not slower({"gone_s": [1.0]}, {"new_s": [2.0]})
    assert not slower({"empty_s": []}, {"empty_s": [2.0]})


def test_what_is_told_has_both_values_and_the_noise() -> None:
    """The line names the best of both runs, and which share of the median was noise."""
    (found,) = slower({"wait_ms": [10, 11]}, {"wait_ms": [20, 21]})
    assert str(found) == "wait_ms: 10 → 20 (noise 10%)"


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("messages_per_cpu_s", True),
        ("a.0.times_strtree", True),
        ("rate_with_over_without", True),
        ("cpu_s", False),
        ("drain_cpu_us_per_message", False),
        ("idle_core", False),
        ("cells", None),
        ("seed", None),
    ],
)
def test_the_unit_says_which_way_is_better(figure: str, expected: bool | None) -> None:
    """Numbers without a unit of speed, such as counts, are not compared."""
    assert more_is_better(figure) is expected


def test_numbers_are_found_in_objects_and_lists() -> None:
    """Figures have dotted names; text and truth values are none."""
    result = {"benchmark": "x", "ok": True, "wait_s": 1, "of": {"a_ms": 2}, "each": [{"b_s": 3}]}
    assert dict(figures_of(result)) == {"wait_s": 1, "of.a_ms": 2, "each.0.b_s": 3}


def test_short_runs_are_found_by_themselves() -> None:
    """A benchmark that says how it is run in seconds is one of `make bench`."""
    found = short_runs()
    assert found["whole_line"][0] == "--messages"
    assert "consoles" not in found
