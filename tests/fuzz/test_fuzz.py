"""Any bytes at any edge: read or refused as documented, and never for long."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

LIMIT_S = 0.1
"""Processor time that an input may take."""


@st.composite
def inputs(draw: st.DrawFn, target: Target) -> bytes:
    """Inputs that are understood, with some pieces put in, taken out, or repeated very often."""
    data = draw(st.sampled_from(target.seeds) | st.binary(max_size=100))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(data)))
        end = begin + draw(st.integers(0, 24))
        again = data[begin:end] * draw(st.sampled_from([2, 20, 2_000]))
        piece = draw(st.just(again) | st.sampled_from(target.words) | st.binary(max_size=4))
        data = data[:begin] + piece + data[end:]
    return data[: 100_000 if target.share > 10 else 8_000]  # files take time by the line


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the MQTT codec's
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_too_much(name: str) -> None:
    """No other error than the documented ones, and no stall."""
    target = TARGETS[name]
    for seed in target.seeds:
        target.run(seed)

    @settings(
        max_examples=40 if target.share <= 10 else 150,
        suppress_health_check=list(HealthCheck),
    )
    @given(data=inputs(target))
    def run(data: bytes) -> None:
        # The second try is without what Python clears away once in a while.
        assert min(took_s(target, data) for _ in range(2)) < LIMIT_S

    run()


def took_s(target: Target, data: bytes) -> float:
    """Processor time of an input [s]."""
    began_s = time.thread_time()
    target.run(data)
    return time.thread_time() - began_s
