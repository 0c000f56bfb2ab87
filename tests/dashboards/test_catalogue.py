"""The words of the console."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import alerts
import dashboards
from alerts import lifecycle, orders
from alerts.lifecycle import EVENTS, STATES
from alerts.orders import Kind, State
from alerts.rulebook import RULES
from alerts.rules import StateReason, ZoneState
from bikes.errors import REJECT_REASONS
from bikes.fleet import Liveness
from dashboards.access.errors import Refusal
from dashboards.access.roles import ROLES
from dashboards.api import loopback
from dashboards.console.catalogue import LANGUAGES, texts
from dashboards.console.pages import PAGES
from dashboards.console.scripts import STATIC, modules_of
from geofence.quality import VERDICTS


def test_both_languages_say_the_same() -> None:
    """Every key has a text in both, with the same places for values."""
    zh, en = (texts(language) for language in LANGUAGES)
    for key in zh:
        assert zh[key].strip(), key
        assert en[key].strip(), key
        places = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (zh[key], en[key])]
        assert places[0] == places[1], key


def test_every_page_has_a_name_and_a_script() -> None:
    """The table of pages, the catalogue and the folder of scripts name the same pages."""
    words = texts("zh")
    for page in PAGES:
        assert f"page.{page.name}" in words
        assert (STATIC / f"{page.name}.js").is_file()
    keys = [page.key for page in PAGES if page.key]
    assert len(keys) == len(set(keys))


def test_every_word_of_the_field_is_translated() -> None:
    """States of zones and alerts, and rules."""
    words = texts("zh")
    for state in get_args(ZoneState):
        assert f"state.{state}" in words
    for state in set(STATES) - {"none", "dropped"}:
        assert f"alert.{state}" in words
    for rule in RULES:
        assert f"rule.{rule}" in words
    for liveness in get_args(Liveness):
        assert f"live.{liveness}" in words
        assert f"live.{liveness}.hint" in words
    for role in ROLES:
        assert f"role.{role}.may" in words
    for reason in REJECT_REASONS:
        assert f"reject.{reason}" in words


def test_every_verdict_is_explained() -> None:
    """By a name, and by a sentence that says what it means and what to do."""
    words = texts("zh")
    for verdict in VERDICTS:
        assert f"verdict.{verdict}" in words
        assert f"verdict.{verdict}.hint" in words


def test_every_word_of_the_record_is_translated() -> None:
    """What happens to alerts, by which named reason, and why something is refused."""
    words = texts("zh")
    for event in EVENTS:
        assert f"event.{event}" in words
    for reason in {*get_args(StateReason), *reasons_named_in(alerts)}:
        assert f"reason.{reason}" in words
    for reason in {*lifecycle.REFUSALS, *orders.REFUSALS}:
        assert f"refusal.{reason}" in words
    for word in (*get_args(Kind), *get_args(State)):
        assert f"order.{word}" in words


def test_every_refusal_of_the_api_is_translated() -> None:
    """Whatever word a problem document decides by, no Chinese page answers in English."""
    words = texts("zh")
    named = {*get_args(Refusal), *get_args(loopback.Refusal)}
    reasons = {*refusals_named_in(dashboards), *named}
    assert {"empty_window", "unknown_zone", "internal_error"} <= reasons
    for reason in reasons:
        assert f"refusal.{reason}" in words or f"door.{reason}" in words, reason


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
    return found


def reasons_named_in(package: ModuleType) -> set[str]:
    """Every reason that a finding or a step of the package is given as a word."""
    found = {"superseded", "not_judged", "target_reached"}  # in a table, and looked up there
    for file in Path(str(package.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(ast.Name("Finding" | "Step"), [_, ast.Constant(value), *_]):
                    found.add(str(value))
    return found


def test_the_script_only_asks_for_words_there_are() -> None:
    """Each `say("…")` of the script is a key."""
    words = texts("en")
    for script in STATIC.glob("*.js"):
        for key in re.findall(
            r"(?:say|bind)\((?:\"[^\"]\", )?\"([a-z]+[.\w]*)\"", script.read_text()
        ):
            assert key in words, f"{script.name}: {key}"


def test_the_script_never_writes_html() -> None:
    """Text from outside enters the page as text nodes only."""
    for script in STATIC.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write", script.read_text()
        )


def test_a_page_is_told_all_its_modules() -> None:
    """Its own first, then whatever is imported at whatever depth, each once."""
    modules = modules_of("desk")
    assert modules[0] == "desk.js"
    assert {"map.js", "bikemark.js", "localtime.js"} <= set(modules)
    assert len(set(modules)) == len(modules)
    assert "theme.js" not in modules
