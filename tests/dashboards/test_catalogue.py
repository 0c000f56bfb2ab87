"""The words of the console."""

from __future__ import annotations

import re
from typing import get_args

from bikes.fleet import Liveness
from dashboards.access.roles import ROLES
from dashboards.console.catalogue import texts
from dashboards.console.files import STATIC, modules_of
from dashboards.console.pages import PAGES
from geofence.quality import VERDICTS


def test_every_page_has_a_name_and_a_script() -> None:
    """The table of pages, the catalogue and the folder of scripts name the same pages."""
    words = texts("zh")
    for page in PAGES:
        assert f"page.{page.name}" in words
        assert (STATIC / page.script).is_file()
    keys = [page.key for page in PAGES if page.key]
    assert len(keys) == len(set(keys))


def test_every_verdict_role_and_liveness_is_explained() -> None:
    """By a name, and by a sentence that says what it means and what to do."""
    words = texts("zh")
    for verdict in VERDICTS:
        assert f"verdict.{verdict}.hint" in words
    for liveness in get_args(Liveness):
        assert f"live.{liveness}.hint" in words
    for role in ROLES:
        assert f"role.{role}.may" in words


def test_the_script_only_asks_for_words_there_are() -> None:
    """Each `say("…")` of the script is a key."""
    words = texts("en")
    for script in STATIC.rglob("*.js"):
        for key in re.findall(
            r"(?:say|bind)\((?:\"[^\"]\", )?\"([a-z]+[.\w]*)\"", script.read_text()
        ):
            assert key in words, f"{script.name}: {key}"


def test_the_script_never_writes_html() -> None:
    """Text from outside enters the page as text nodes only."""
    for script in STATIC.rglob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write", script.read_text()
        )


def test_a_page_is_told_all_its_modules() -> None:
    """Its own first, then whatever is imported at whatever depth, each once."""
    modules = modules_of("map/desk.js")
    assert modules[0] == "map/desk.js"
    assert {"map/bikes.js", "page/words.js", "leaflet/leaflet-src.esm.js"} <= set(modules)
    assert len(set(modules)) == len(modules)
    assert "page/theme.js" not in modules
