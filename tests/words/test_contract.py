"""The words of the contract: complete, and one word for one thing in both languages."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import alerts
import dashboards
from alerts import lifecycle, orders
from alerts.lifecycle import EVENTS, STATES, TABLE
from alerts.notify.wording import phrases
from alerts.orders import Kind, State
from alerts.rules import RULES, contract
from alerts.rules.registry import Severity
from bikes.errors import REJECT_REASONS
from bikes.fleet import Liveness
from dashboards.access.roles import ROLES, Refusal
from dashboards.api import loopback
from dashboards.console import catalogue
from dashboards.grafana import edition
from geofence.quality import VERDICTS
from geofence.zone_state import StateReason, ZoneState
from words.catalogue import word

ROOT = Path(__file__).parents[2]
CATALOGUES = {
    "contract": contract(),
    "console": catalogue.entries(),
    "grafana": edition.entries(),
    "notices": {**phrases(), **RULES.sentences()},
}
CHINESE = "[一-鿿]"
MARKS = ",;:!?()"

ONE_IDEA = {
    frozenset({"state.unmeasurable", "judgement.unknown"}): "nobody could have told",
}
"""Two words of the contract that people call alike, because they are one idea."""

TWO_IDEAS = {
    "zone_unpatrolled": "as a reason it says that another alert tells the same",
    "stale": "a bike whose position is old; as a reason, any figure that is too old to judge by",
    "unknown_bike": "a message is rejected, or a request is refused",
    "unknown_vendor": "a message is rejected, or a request is refused",
}
"""Words of the contract that two kinds share and that mean another thing in each."""

OTHER_NAMES = {
    "撤销": "作废 of an alert, 撤回 of an act, 停用 of a zone",
    "报文": "消息",
    "巡查策略": "巡查标准",
    "遥测": "车辆数据",
    "最后定位": "最近定位",
    "区内车辆": "在场车辆",
}
"""Chinese terms that once stood for the same thing as another, and the one that is used."""

NAMES = {"state", "judgement", "rule", "alert", "event", "verdict", "reject", "live", "severity"}
NAMES |= {"part", "role"}
"""Kinds whose words are names, and not sentences or everyday words."""


def refusals_named_in(package: ModuleType) -> set[str]:
    """Every reason with which the package refuses a request."""
    found = set()
    for file in Path(str(package.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(ast.Name("ProblemError" | "ProblemAnswer"), [_, reason, *_]):
                    found |= {reason.value} if isinstance(reason, ast.Constant) else set()
                case ast.Call(ast.Name("unknown"), [ast.Constant(str(kind)), _, _]):
                    found.add(f"unknown_{kind}")
    assert {"empty_window", "unknown_zone", "internal_error"} <= found
    return found


def reasons_named_in(package: ModuleType) -> set[str]:
    """Every reason that a finding or a step of the package is given as a word."""
    found = {"superseded", "not_judged", "target_reached"}  # in a table, and looked up there
    for file in Path(str(package.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(ast.Name("Finding" | "Step"), [_, ast.Constant(value), *_]):
                    found.add(str(value))
    return found


@cache
def known() -> dict[str, set[str]]:
    """Every word that the code can say, by kind."""
    named = {*get_args(Refusal), *get_args(loopback.Refusal), *refusals_named_in(dashboards)}
    at_the_door = {key.split(".")[1] for key in catalogue.entries() if key.startswith("door.")}
    return {
        "state": set(get_args(ZoneState)),
        "judgement": {"reached", "short", "unknown"},
        "rule": set(RULES),
        "severity": set(get_args(Severity)),
        "alert": set(STATES) - {"none"},
        "event": set(EVENTS),
        "verdict": set(VERDICTS),
        "reject": set(REJECT_REASONS),
        "live": set(get_args(Liveness)),
        "role": set(ROLES),
        "part": {
            *("inlet", "coverage", "storage", "data"),
            *("publisher", "evaluation", "outbox", "influx", "canary", "configuration"),
        },
        "reason": {*get_args(StateReason), *reasons_named_in(alerts)},
        "order": {*get_args(Kind), *get_args(State), "configuration", "console"},
        "refusal": {*lifecycle.REFUSALS, *orders.REFUSALS, *named} - at_the_door,
    }


@pytest.mark.parametrize("kind", sorted(known()))
def test_every_word_of_the_contract_has_an_entry(kind: str) -> None:
    """States, reasons, verdicts, transitions, refusals: whatever word the code can say."""
    entries = {key.split(".")[1] for key in contract() if key.startswith(f"{kind}.")}
    assert known()[kind] - entries == set()


def test_a_word_that_nobody_knows_is_shown_as_it_is() -> None:
    """A newer server may say a word that an older catalogue lacks."""
    assert word(contract(), "state", "overdue", "en") == "overdue"
    assert word(contract(), "state", "overdue", "zh") == "超时未巡"
    assert word(contract(), "state", "flooded", "zh") == "flooded"


@pytest.mark.parametrize("name", CATALOGUES)
def test_both_languages_say_the_same(name: str) -> None:
    """Every key has a text in both, with the same places for values."""
    for key, entry in CATALOGUES[name].items():
        assert all(text.strip() for text in entry), key
        places = [sorted(re.findall(r"\{(\w+)(?::\w+)?\}", text)) for text in entry]
        assert places[0] == places[1], key


@pytest.mark.parametrize("place", [0, 1], ids=["zh", "en"])
def test_one_text_stands_for_one_word(place: int) -> None:
    """Nobody can tell voided from undone when both are called 已撤销."""
    by_text: defaultdict[str, set[str]] = defaultdict(set)
    for key, entry in contract().items():
        by_text[entry[place].lower()].add(key)
    for text, keys in by_text.items():
        if len({_idea(key) for key in keys}) > 1 and re.sub(r"\{\w+\}", "", text):
            assert frozenset(keys) in ONE_IDEA, text


def test_one_word_has_one_text() -> None:
    """Whichever kind a word is looked up in, it is called the same."""
    by_word: defaultdict[str, set[str]] = defaultdict(set)
    for key, (zh, _) in contract().items():
        by_word[key.split(".")[1]].add(zh)
    differ = {each for each, texts in by_word.items() if len(_shortest(texts)) > 1}
    assert differ == set(TWO_IDEAS)


@pytest.mark.parametrize("name", ["console", "grafana", "notices"])
def test_pages_and_notices_call_it_what_the_contract_calls_it(name: str) -> None:
    """Where a text of theirs is a word of the contract in one language, it is in the other."""
    names = [entry for key, entry in contract().items() if key.split(".")[0] in NAMES]
    for key in CATALOGUES[name].keys() - contract().keys():
        entry = CATALOGUES[name][key]
        zh, en = entry[0], entry[1].lower().removesuffix("s")
        meant = [each for each in names if each[0] == zh or each[1].lower() == en]
        assert not meant or any(
            (zh in each[0] or each[0] in zh) and each[1].lower() in (en, f"{en}s") for each in meant
        ), f"{key}: {entry} beside {meant}"


@pytest.mark.parametrize("name", CATALOGUES)
def test_one_term_stands_for_one_thing(name: str) -> None:
    """A message is 消息 on every page, and never 报文."""
    for key, (zh, _) in CATALOGUES[name].items():
        for other, term in OTHER_NAMES.items():
            assert other not in zh, f"{key}: {term}, not {other}"


@pytest.mark.parametrize("name", CATALOGUES)
def test_chinese_is_punctuated_in_full_width(name: str) -> None:
    """And durations are hours and minutes, 12小时52分钟, not a time of day."""
    for key, (zh, _) in CATALOGUES[name].items():
        assert list(half_width(zh.removeprefix("suffix:"))) == [], f"{key}: {zh}"
        assert not re.search(r"\{[hmn]\}\s*(时(?![段间刻])|分(?!钟))", zh), f"{key}: {zh}"


def test_chinese_in_the_documentation_is_punctuated_in_full_width() -> None:
    """Between Chinese words; what stands around them is English."""
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for line in path.read_text().splitlines():
            assert not re.search(f"{CHINESE}[{MARKS}]{CHINESE}", line), f"{path.name}: {line}"


def half_width(text: str) -> Iterator[str]:
    """Marks of English in a Chinese text, each with its neighbours."""
    if not re.search(CHINESE, text):
        return
    text = re.sub(r"\{[^}]*\}", "值", text)
    for found in re.finditer(f"(\\S?)\\s*([{MARKS}])\\s*(\\S?)", text):
        if not re.fullmatch("[A-Za-z0-9].[A-Za-z0-9]", found[1] + found[2] + found[3]):
            yield found[0]


def _idea(key: str) -> str:
    """The word itself; an event, and an act, means the state to which it leads."""
    kind, each = key.split(".")
    if kind in ("event", "act"):
        return next(
            (to for (before, event), to in TABLE.items() if event == each and to != before), each
        )
    return each


def _shortest(texts: set[str]) -> set[str]:
    """Without those that hold another one: 核实销号 says more than 销号, but the same."""
    return {text for text in texts if not any(other in text for other in texts - {text})}
