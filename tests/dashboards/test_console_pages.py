"""The console's pages and files, without a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashboards.app import create_app
from dashboards.console import files
from dashboards.console.pages import PAGES, ConsoleOptions, mount
from ingest.errors import StoreUnavailable
from tests.dashboards.conftest import Api
from tests.dashboards.district import District

SCRIPTS = sorted(files.STATIC.rglob("*.js"))
LONGEST_LINE = 100
OLD = "/console/0123456789ab"
"""The folder of the files of another version."""


def console(district: District, options: ConsoleOptions | None = None) -> Api:
    """A client of the API with its console."""
    sources = district.sources()
    app = create_app(sources)
    mount(app, sources, options)
    return Api(app)


def test_two_consoles_in_one_process(district: District) -> None:
    """Each serves its own pages, to whoever asks and in whichever order."""
    chinese = console(district, ConsoleOptions("zh"))
    english = console(district, ConsoleOptions("en", attribution="somebody"))
    for _ in range(2):
        assert '<html lang="zh">' in chinese.get("/").text
        assert '<html lang="en">' in english.get("/").text
    assert "somebody" in english.get("/zones/cy-01").text
    assert "somebody" not in chinese.get("/zones/cy-01").text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_files_that_there_are(district: District, page: str) -> None:
    """Scripts, styles and the icon; a browser may keep each for good."""
    path = next(each.path for each in PAGES if each == page)
    api = console(district)
    answer = api.get(re.sub(r"\{\w+\}", "x", path))
    assert answer.headers["cache-control"] == "no-store"
    names = set(re.findall(r'(?:src|href)="(/console/[^"]+)"', answer.text))
    assert {files.url("page/theme.js"), files.url("leaflet/leaflet.css")} < names
    for name in names:
        file = api.get(name)
        assert file.status_code == 200, name
        assert "immutable" in file.headers["cache-control"]


def test_text_of_the_address_is_data(district: District) -> None:
    """A path that is markup ends neither the data block nor an attribute of the page."""
    text = console(district).get("/bikes/x/%3C!--%3Cscript%3E%3Cimg%20src=x%3E").text
    assert "<img" not in text
    assert "<!--" not in text
    config = re.search(r'id="console-config">(.*?)</script>', text)
    assert config is not None
    assert json.loads(config[1])["page"]["params"]["bike_id"] == "<!--<script><img src=x>"


def test_a_page_of_before_an_upgrade_is_led_to_the_files_there_are(district: District) -> None:
    """By a way that nobody keeps, so that a page whole of one version comes up."""
    api = console(district)
    for method in ("HEAD", "GET"):
        led = api.ask(method, f"{OLD}/map/desk.js")
        assert (led.status_code, led.headers["cache-control"]) == (307, "no-store")
        assert led.headers["location"] == files.url("map/desk.js")
    assert api.get(files.url("map/no-such.js")).status_code == 404


def test_answers_are_compressed(district: District) -> None:
    """What is worth it, for whoever can read it."""
    api = console(district)
    for path in ("/", files.url("leaflet/leaflet-src.esm.js"), "/api/v1/zones"):
        plain = api.get(path, headers={"Accept-Encoding": "identity"})
        small = api.get(path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert small.content == plain.content
        assert small.num_bytes_downloaded < len(plain.content) / 2
    picture = api.get("/api/v1/cells.png", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in picture.headers


def test_a_language_that_is_asked_for_is_remembered(district: District) -> None:
    """In a cookie; without one, and for a language that nobody knows, the setting counts."""
    api = console(district)
    assert api.get("/?lang=en").cookies["zhixun_language"] == "en"
    assert '<html lang="en">' in api.get("/", headers={"Cookie": "zhixun_language=en"}).text
    strange = api.get("/?lang=xx", headers={"Accept-Language": "fr-FR,fr;q=0.9"})
    assert '<html lang="zh">' in strange.text
    assert not api.get("/").cookies
    browser = {"Accept-Language": "fr, en-GB;q=0.8, zh;q=0.5"}
    assert '<html lang="en">' in api.get("/", headers=browser).text
    chosen = browser | {"Cookie": "zhixun_language=zh"}
    assert '<html lang="zh">' in api.get("/", headers=chosen).text


def test_errors_are_pages_for_people_and_documents_for_programs(district: District) -> None:
    """An address of nothing, a crash, a store that is away: in both languages, with a way on."""
    sources = district.sources()
    app = create_app(sources)
    mount(app, sources)

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("a fault")

    @app.get("/away")
    async def away() -> None:
        raise StoreUnavailable("the disk is full")

    api, person = Api(app), {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "en"}
    for path, status, title in (
        ("/no/such/page", 404, "There is no such page"),
        ("/crash", 500, "Something went wrong"),
        ("/away", 503, "Not available now"),
    ):
        page = api.get(path, headers=person)
        assert (page.status_code, page.headers["content-type"]) == (
            status,
            "text/html; charset=utf-8",
        )
        assert f"<h1>{title}</h1>" in page.text
        assert 'href="/"' in page.text
        assert "a fault" not in page.text
        chinese = api.get(f"{path}?lang=zh", headers=person)
        assert '<html lang="zh">' in chinese.text
        assert api.get(path).json()["status"] == status
    below = api.get("/api/v1/nothing", headers=person)
    assert below.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_checked_and_can_be_read(script: Path) -> None:
    """TypeScript checks every module; no line is longer than those of Python."""
    lines = script.read_text("utf-8").splitlines()
    assert lines[0] == "// @ts-check"
    assert [line for line in lines if len(line) > LONGEST_LINE] == []
