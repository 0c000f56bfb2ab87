"""The dashboards as files: complete, consistent, and what is committed."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

import dashboards.grafana
from alerts.lifecycle import STATES
from alerts.rules import contract
from alerts.rules.registry import Severity
from bikes.errors import REJECT_REASONS
from dashboards.grafana import looks
from dashboards.grafana.build import BOARDS, build
from dashboards.grafana.edition import DATASOURCE, Edition
from geofence.quality import VERDICTS
from geofence.zone_state import STATE_CODES
from tests.dashboards.grafana.grafana import panels
from words.catalogue import LANGUAGES, Language

ROOT = Path(__file__).parents[3]
GENERATED = Path(dashboards.grafana.__file__).parent / "generated"
CONSOLE = ROOT / "dashboards" / "console" / "static"
PROVISIONING = ROOT / "docker" / "grafana"

FILES = [(language, f"{board}.json") for language in LANGUAGES for board in BOARDS]


def shown(language: Language, name: str) -> dict[str, Any]:
    """A committed dashboard."""
    found: dict[str, Any] = json.loads((GENERATED / language / name).read_bytes())
    return found


def queries(dashboard: dict[str, Any]) -> list[str]:
    """Every query of a dashboard: of panels, variables and annotations."""
    return [
        *(target["query"] for panel in panels(dashboard) for target in panel["targets"]),
        *(variable["query"]["query"] for variable in dashboard["templating"]["list"]),
        *(item["target"]["query"] for item in dashboard["annotations"]["list"]),
    ]


@pytest.mark.parametrize(("language", "name"), FILES)
def test_what_is_committed_is_what_is_built(language: Language, name: str) -> None:
    """Renew it: patrol dashboards build --out dashboards/grafana/generated"""
    assert (GENERATED / language / name).read_bytes() == build(Edition(language))[name]


def test_nothing_else_is_committed() -> None:
    """A dashboard that is no longer made is deleted."""
    found = {(path.parent.name, path.name) for path in GENERATED.rglob("*") if path.is_file()}
    assert found == set(FILES)


def test_identities_never_change() -> None:
    """Bookmarks, links and what Grafana has stored hold them."""
    found = [shown("zh", f"{board}.json")["uid"] for board in BOARDS]
    assert found == ["zhixun-fleet", "zhixun-coverage", "zhixun-alerts", "zhixun-ingest"]


@pytest.mark.parametrize(("language", "name"), FILES)
def test_a_dashboard_is_fit_for_grafana_11(language: Language, name: str) -> None:
    """Schema, numbers of panels, and a place for each on the grid of 24 columns."""
    dashboard = shown(language, name)
    assert dashboard["schemaVersion"] == 41
    assert dashboard["id"] is None if "id" in dashboard else True
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert numbers == sorted(set(numbers))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = set(
            itertools.product(
                range(place["x"], place["x"] + place["w"]),
                range(place["y"], place["y"] + place["h"]),
            )
        )
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} covers another panel"
        taken |= cells


@pytest.mark.parametrize(("language", "name"), FILES)
def test_a_panel_says_what_it_answers(language: Language, name: str) -> None:
    """Title, description, a text for no data, data source, queries with names of their own."""
    for panel in panels(shown(language, name)):
        assert panel["title"]
        assert len(panel["description"]) > 5
        assert panel["fieldConfig"]["defaults"]["noValue"]
        assert panel["datasource"] == {"type": "influxdb", "uid": DATASOURCE}
        names = [target["refId"] for target in panel["targets"]]
        assert names == sorted(set(names))
        assert names
        for target in panel["targets"]:
            assert target["rawQuery"] is True
            assert target["datasource"] == panel["datasource"]


@pytest.mark.parametrize(("language", "name"), FILES)
def test_queries_use_only_variables_that_are_there(language: Language, name: str) -> None:
    """And each variable that can be chosen makes a difference."""
    dashboard = shown(language, name)
    named = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = {
        found for query in queries(dashboard) for found in re.findall(r"\$\{(\w+):regex\}", query)
    }
    assert used == named
    others = {
        found for query in queries(dashboard) for found in re.findall(r"\$\{?(\w+)\b(?!:)", query)
    }
    assert others <= {"timeFilter", "__interval", "__from", "__to"}


@pytest.mark.parametrize("name", [f"{board}.json" for board in BOARDS])
def test_queries_use_only_what_every_influxdb_knows(name: str) -> None:
    """InfluxDB 3 has no integral, 1.6 no mathematics worth the name: see docs/grafana.md."""
    known = {
        "count", "sum", "mean", "median", "percentile", "last", "min", "max", "elapsed",
        "non_negative_derivative", "non_negative_difference", "time", "fill", "tz",
    }  # fmt: skip
    for query in queries(shown("en", name)):
        assert set(re.findall(r"(\w+)\(", query)) <= known


@pytest.mark.parametrize("name", [f"{board}.json" for board in BOARDS])
def test_every_panel_is_asked_about_the_known_day(name: str) -> None:
    """A panel without a test of what it shows is not finished."""
    board = name.removesuffix(".json")
    source = Path(__file__).with_name(f"test_{board}_queries.py").read_text()
    for panel in panels(shown("en", name)):
        assert f'"{panel["title"]}"' in source, f"{panel['title']} is not tested"


@pytest.mark.parametrize("name", [f"{board}.json" for board in BOARDS])
def test_languages_differ_in_words_only(name: str) -> None:
    """The same queries, panels and places; words are in the right language."""
    chinese, english = shown("zh", name), shown("en", name)
    assert queries(chinese) == queries(english)
    assert [panel["gridPos"] for panel in chinese["panels"]] == [
        panel["gridPos"] for panel in english["panels"]
    ]
    for panel in chinese["panels"]:
        title = panel["title"]
        assert re.search("[一-鿿]", title) or title == "$zone", f"{title} is not Chinese"
    assert not re.search("[一-鿿]", json.dumps(english, ensure_ascii=False))


def test_every_word_is_there_and_used() -> None:
    """In both languages; a word that nothing shows is deleted."""
    for language in LANGUAGES:
        recorded = Recorded(dict(Edition(language).words))
        build(Edition(language, words=recorded))
        elsewhere = recorded.keys() & contract().keys()
        assert set(recorded) - recorded.used - elsewhere == {"folder"}  # pushing names it


class Recorded(dict[str, str]):
    """A catalogue that knows which of its entries were read."""

    def __init__(self, entries: dict[str, str]) -> None:
        super().__init__(entries)
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.used.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As in a dict."""
        self.used.add(key)
        return super().get(key, default)


def test_states_look_as_in_the_console() -> None:
    """The colours of its light page, and its signs."""
    css = (CONSOLE / "page" / "page.css").read_text()
    light = css[css.index(":root {") : css.index("@media")]
    assert dict(looks.STATE_COLOURS) == {
        state: re.search(rf"--{state}: (#\w+);", light)[1]  # type: ignore[index]
        for state in STATE_CODES
    }
    script = (CONSOLE / "page" / "dom.js").read_text()
    signs = dict(re.findall(r'(\w+): "(.)"', script[script.index("const SIGNS") :].split("}")[0]))
    assert dict(looks.STATE_SIGNS) == signs


def test_every_value_has_a_word() -> None:
    """What is added to a state, rule, verdict or reason must be added here too."""
    assert set(looks.ALERT_COLOURS) == set(STATES) - {"none", "pending", "dropped"}
    assert set(looks.SEVERITY_COLOURS) == set(get_args(Severity))
    assert set(looks.VERDICT_COLOURS) == set(VERDICTS)
    assert set(looks.REASON_COLOURS) == set(REJECT_REASONS)
    for colours in (looks.VERDICT_COLOURS, looks.REASON_COLOURS):
        assert len(set(colours.values())) == len(colours)


def test_the_map_tells_about_a_bike_under_the_pointer() -> None:
    """The SDK writes "none" where Grafana's own default is to show the details."""
    (bikes,) = (panel for panel in panels(shown("en", "fleet.json")) if panel["type"] == "geomap")
    assert bikes["options"]["tooltip"]["mode"] == "details"
    assert [layer["tooltip"] for layer in bikes["options"]["layers"]] == [True]


def test_links_lead_somewhere() -> None:
    """To a dashboard that there is, and a variable that it has, from a column that is shown."""
    boards = {shown("zh", f"{board}.json")["uid"]: shown("zh", f"{board}.json") for board in BOARDS}
    found = 0
    for dashboard in boards.values():
        for panel in panels(dashboard):
            for override in panel["fieldConfig"]["overrides"]:
                for prop in override["properties"]:
                    if prop["id"] != "links":
                        continue
                    for link in prop["value"]:
                        uid, variable, column = re.match(  # type: ignore[union-attr]
                            r'/d/([\w-]+)\?var-(\w+)=\$\{__data.fields\["(.+)"\]\}', link["url"]
                        ).groups()
                        named = {item["name"] for item in boards[uid]["templating"]["list"]}
                        assert variable in named
                        assert column == override["matcher"]["options"]
                        found += 1
        (siblings,) = dashboard["links"]
        assert set(siblings["tags"]) <= set(dashboard["tags"])
    assert found > 5


def test_provisioning_is_of_the_data_source_that_panels_ask() -> None:
    """InfluxQL, with a token out of a file, which appears in no configuration."""
    (path,) = (PROVISIONING / "datasources").iterdir()
    (source,) = yaml.safe_load(path.read_text())["datasources"]
    assert (source["uid"], source["type"]) == (DATASOURCE, "influxdb")
    assert source["jsonData"]["version"] == "InfluxQL"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert source["secureJsonData"] == {"httpHeaderValue1": "Token $__file{/run/influxdb/token}"}


def test_provisioning_offers_the_dashboards_in_their_folder() -> None:
    """Of the language that the environment names."""
    (path,) = (PROVISIONING / "dashboards").iterdir()
    (provider,) = yaml.safe_load(path.read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["folderUid"] == "zhixun"
    assert provider["options"]["path"] == "/etc/zhixun/dashboards/$ZHIXUN_LANGUAGE"
    assert provider["allowUiUpdates"] is False


def test_the_battery_limit_is_the_configured_one() -> None:
    """In the query, in the colours and in the words."""
    fleet = json.loads(build(Edition("en", battery_low_percent=35))["fleet.json"])
    (low,) = (panel for panel in panels(fleet) if panel["title"] == "Low batteries")
    assert low["targets"][0]["query"].endswith('WHERE "charge" <= 35')
    assert low["description"] == "Bikes whose last report said 35 % or less."
    assert "20" not in low["description"]
