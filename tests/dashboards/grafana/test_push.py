"""`patrol dashboards push`, against a small Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from patrol.cli import app
from tests.dashboards.grafana.fake import FakeGrafana, serving
from tests.servers import free_port

BOARDS = ["zhixun-fleet", "zhixun-coverage", "zhixun-alerts", "zhixun-ingest"]
SAMPLE = Path(__file__).parents[3] / "samples" / "chengyang" / "patrol.toml"


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    """A Grafana 11.6 with nothing in it."""
    with serving(FakeGrafana()) as fake:
        yield fake


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no user."""
    for name in ("GRAFANA_USER", "GRAFANA_PASSWORD", "GRAFANA_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A file with the token of an administrator."""
    return written(tmp_path / "token", "admin-token\n")


def written(path: Path, text: str) -> Path:
    """A file with this text."""
    path.write_text(text)
    return path


def push(url: str, *arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["dashboards", "push", "--grafana", url, *map(str, arguments)])


def build(*arguments: object) -> Result:
    """Run the other command."""
    return CliRunner().invoke(app, ["dashboards", "build", *map(str, arguments)])


def test_everything_is_made_in_an_empty_grafana(grafana: FakeGrafana, token: Path) -> None:
    """Folder, data source, four dashboards in that folder; the command says so."""
    result = push(grafana.url, "--token-file", token)
    assert result.exit_code == 0, result.output
    assert grafana.folders["zhixun"]["title"] == "智巡"
    source = grafana.datasources["zhixun-influx"]
    assert (source["type"], source["access"]) == ("influxdb", "proxy")
    assert source["jsonData"]["version"] == "InfluxQL"
    assert list(grafana.dashboards) == BOARDS
    assert {board["meta"]["folderUid"] for board in grafana.dashboards.values()} == {"zhixun"}
    assert grafana.dashboards["zhixun-fleet"]["dashboard"]["title"] == "车辆总览"
    lines = result.stdout.splitlines()
    assert [line.rpartition(": ")[2] for line in lines[:-1]] == ["created"] * 6
    assert lines[-1] == f"{grafana.url}/d/zhixun-fleet"


def test_doing_it_again_changes_nothing(grafana: FakeGrafana, token: Path) -> None:
    """The second time it only reads."""
    push(grafana.url, "--token-file", token)
    grafana.calls.clear()
    result = push(grafana.url, "--token-file", token)
    assert result.exit_code == 0
    assert grafana.writes == []
    assert result.stdout.count("unchanged") == 5
    assert "data source zhixun-influx: kept" in result.stdout


def test_what_was_changed_by_hand_is_put_back(grafana: FakeGrafana, token: Path) -> None:
    """Only the dashboard that differs is written."""
    push(grafana.url, "--token-file", token)
    grafana.dashboards["zhixun-alerts"]["dashboard"]["panels"].pop()
    grafana.calls.clear()
    result = push(grafana.url, "--token-file", token)
    assert grafana.writes == [("POST", "/api/dashboards/db")]
    assert "dashboard 告警处置: updated" in result.stdout
    assert grafana.dashboards["zhixun-alerts"]["dashboard"]["version"] == 2


def test_the_language_is_changed_in_place(grafana: FakeGrafana, token: Path) -> None:
    """Both languages have the same identities: links and bookmarks go on working."""
    push(grafana.url, "--token-file", token)
    result = push(grafana.url, "--token-file", token, "--lang", "en")
    assert result.stdout.count("updated") == 4
    assert list(grafana.dashboards) == BOARDS
    assert grafana.dashboards["zhixun-fleet"]["dashboard"]["title"] == "Fleet"


def test_user_and_password_come_from_the_environment(
    grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Basic authentication; the password is said nowhere."""
    monkeypatch.setenv("GRAFANA_USER", "boss")
    monkeypatch.setenv("GRAFANA_PASSWORD", "secret")
    result = push(grafana.url)
    assert result.exit_code == 0
    assert "secret" not in result.output


def test_a_password_in_the_url_is_refused(grafana: FakeGrafana) -> None:
    """Everybody on the machine can read arguments; the answer does not repeat it."""
    result = push(grafana.url.replace("://", "://boss:hunter2@"))
    assert result.exit_code == 2
    assert "everybody" in result.stderr
    assert "hunter2" not in result.stderr
    assert grafana.calls == []


def test_a_grafana_below_a_path(token: Path) -> None:
    """With a slash at the end of the address, and without."""
    with serving(FakeGrafana(prefix="/monitor/grafana")) as grafana:
        assert push(grafana.url, "--token-file", token).exit_code == 0
        assert push(f"{grafana.url}/", "--token-file", token).exit_code == 0


def test_the_data_source_asks_the_influxdb_that_is_named(
    grafana: FakeGrafana, token: Path, tmp_path: Path
) -> None:
    """Its token goes into what Grafana keeps secret, and is not shown."""
    reading = written(tmp_path / "influx.token", "r3ad\n")
    result = push(
        grafana.url, "--token-file", token, "--influx", "http://influxdb:8086",
        "--bucket", "bikes", "--influx-token-file", reading,
    )  # fmt: skip
    assert result.exit_code == 0
    source = grafana.datasources["zhixun-influx"]
    assert source["url"] == "http://influxdb:8086"
    assert source["jsonData"]["dbName"] == "bikes"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert grafana.secrets["zhixun-influx"] == {"httpHeaderValue1": "Token r3ad"}
    assert "r3ad" not in result.output


def test_the_data_source_is_changed_only_when_something_is_named(
    grafana: FakeGrafana, token: Path
) -> None:
    """What an administrator has set stays, until the command says otherwise."""
    push(grafana.url, "--token-file", token)
    grafana.datasources["zhixun-influx"]["url"] = "http://chosen:8086"
    push(grafana.url, "--token-file", token)
    assert grafana.datasources["zhixun-influx"]["url"] == "http://chosen:8086"
    result = push(grafana.url, "--token-file", token, "--influx", "http://other:8086")
    assert "data source zhixun-influx: updated" in result.stdout
    assert grafana.datasources["zhixun-influx"]["url"] == "http://other:8086"
    result = push(grafana.url, "--token-file", token, "--influx", "http://other:8086")
    assert "data source zhixun-influx: unchanged" in result.stdout


def test_a_moved_influxdb_is_still_asked_with_its_token(
    grafana: FakeGrafana, token: Path, tmp_path: Path
) -> None:
    """Another address without another token keeps the header that carries the old one."""
    secret = written(tmp_path / "influx", "influx-read")
    push(grafana.url, "--token-file", token, "--influx-token-file", secret)
    result = push(grafana.url, "--token-file", token, "--influx", "http://elsewhere:8086")
    assert "data source zhixun-influx: updated" in result.stdout
    source = grafana.datasources["zhixun-influx"]
    assert source["url"] == "http://elsewhere:8086"
    assert source["jsonData"]["httpHeaderName1"] == "Authorization"
    assert grafana.secrets["zhixun-influx"] == {"httpHeaderValue1": "Token influx-read"}


def test_another_token_is_for_the_same_influxdb(
    grafana: FakeGrafana, token: Path, tmp_path: Path
) -> None:
    """What is not named is not reset: the address and the bucket stay."""
    where = ("--influx", "http://store:8086", "--bucket", "bikes")
    push(grafana.url, "--token-file", token, *where)
    secret = written(tmp_path / "influx", "influx-read")
    push(grafana.url, "--token-file", token, "--influx-token-file", secret)
    source = grafana.datasources["zhixun-influx"]
    assert (source["url"], source["jsonData"]["dbName"]) == ("http://store:8086", "bikes")
    assert grafana.secrets["zhixun-influx"] == {"httpHeaderValue1": "Token influx-read"}


def test_the_configuration_names_influxdb(
    grafana: FakeGrafana, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URL and bucket of [influx], and the district's time zone."""
    monkeypatch.setenv("PATROL_INFLUX__URL", "http://store:8086")
    monkeypatch.setenv("PATROL_INFLUX__BUCKET", "bikes")
    monkeypatch.setenv("PATROL_DISTRICT__TIMEZONE", "Asia/Urumqi")
    result = push(grafana.url, "--token-file", token, "--config", SAMPLE)
    assert result.exit_code == 0, result.output
    source = grafana.datasources["zhixun-influx"]
    assert (source["url"], source["jsonData"]["dbName"]) == ("http://store:8086", "bikes")
    assert grafana.dashboards["zhixun-fleet"]["dashboard"]["timezone"] == "Asia/Urumqi"


def test_nobody_in_particular_is_told_to_say_who_asks(grafana: FakeGrafana) -> None:
    """401: exit code 1, and how to give a token."""
    result = push(grafana.url)
    assert result.exit_code == 1
    assert "401" in result.stderr
    assert "--token-file" in result.stderr
    assert grafana.writes == []


def test_a_viewer_may_not(grafana: FakeGrafana, tmp_path: Path) -> None:
    """403: exit code 1, which role is needed."""
    result = push(grafana.url, "--token-file", written(tmp_path / "t", "viewer-token"))
    assert result.exit_code == 1
    assert "make a folder" in result.stderr
    assert "Editor" in result.stderr


def test_an_editor_may_all_but_the_data_source(grafana: FakeGrafana, tmp_path: Path) -> None:
    """The message names the way out, and it works, though Grafana hides from an Editor what
    is not there yet."""
    editor = written(tmp_path / "t", "editor-token")
    result = push(grafana.url, "--token-file", editor)
    assert result.exit_code == 1
    assert "--only-dashboards" in result.stderr
    result = push(grafana.url, "--token-file", editor, "--only-dashboards")
    assert result.exit_code == 0
    assert list(grafana.dashboards) == BOARDS
    assert grafana.datasources == {}


def test_a_data_source_from_a_file_is_not_changed(grafana: FakeGrafana, token: Path) -> None:
    """Grafana's own words come through."""
    push(grafana.url, "--token-file", token)
    grafana.datasources["zhixun-influx"]["readOnly"] = True
    result = push(grafana.url, "--token-file", token, "--influx", "http://other:8086")
    assert result.exit_code == 1
    assert "read-only data source" in result.stderr


def test_a_dashboard_from_a_file_is_not_changed(grafana: FakeGrafana, token: Path) -> None:
    """Grafana's own words come through."""
    grafana.provisioned.add("zhixun-coverage")
    result = push(grafana.url, "--token-file", token)
    assert result.exit_code == 1
    assert "Cannot save provisioned dashboard" in result.stderr


@pytest.mark.parametrize("version", ["7.5.17", "9.5.2", "10.3.1"])
def test_an_old_grafana_is_named(token: Path, version: str) -> None:
    """With its version and the one that is needed; nothing is written."""
    with serving(FakeGrafana(version=version)) as grafana:
        result = push(grafana.url, "--token-file", token)
    assert result.exit_code == 1
    assert version in result.stderr
    assert "10.4" in result.stderr
    assert grafana.writes == []


@pytest.mark.parametrize(
    "version", [None, "10.4.0", "11.6.0", "12.1.0-86114", "13.0.1+security-01"]
)
def test_a_grafana_that_will_do(token: Path, version: str | None) -> None:
    """Newer ones too, and one that keeps its version to itself."""
    with serving(FakeGrafana(version=version)) as grafana:
        assert push(grafana.url, "--token-file", token).exit_code == 0


def test_nobody_there(token: Path) -> None:
    """Exit code 3, with the address and without a traceback."""
    url = f"http://127.0.0.1:{free_port()}"
    result = push(url, "--token-file", token)
    assert result.exit_code == 3
    assert result.stderr.strip() == f"{url}: Grafana cannot be reached: Connection refused"


def test_grafana_in_trouble(grafana: FakeGrafana, token: Path) -> None:
    """503: it may be better in a minute."""
    grafana.mode = "sick"
    result = push(grafana.url, "--token-file", token)
    assert result.exit_code == 3
    assert "database is locked" in result.stderr


@pytest.mark.parametrize("mode", ["nothing", "shop"])
def test_not_a_grafana(grafana: FakeGrafana, token: Path, mode: str) -> None:
    """Something else answers at that address."""
    grafana.mode = mode  # type: ignore[assignment]
    result = push(grafana.url, "--token-file", token)
    assert result.exit_code == 1
    assert "front page" in result.stderr


def test_a_token_file_that_is_not_there_or_empty(grafana: FakeGrafana, tmp_path: Path) -> None:
    """Exit code 1 before anything is asked."""
    for path in (tmp_path / "no-such", written(tmp_path / "empty", "\n")):
        result = push(grafana.url, "--token-file", path)
        assert result.exit_code == 1
        assert result.stderr.startswith("--token-file: names ")
    assert grafana.calls == []


@pytest.mark.parametrize("url", ["grafana.example", "ftp://grafana", "http://", "http://x:y"])
def test_not_a_url_is_wrong_usage(url: str) -> None:
    """Exit code 2."""
    assert push(url).exit_code == 2


def test_build_writes_both_languages(tmp_path: Path) -> None:
    """A folder each, with a file a dashboard."""
    result = build("--out", tmp_path)
    assert result.exit_code == 0
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    names = ["alerts", "coverage", "fleet", "ingest"]
    assert found == [f"{language}/{name}.json" for language in ("en", "zh") for name in names]
    assert result.stdout.count("\n") == 8


def test_build_writes_one_language(tmp_path: Path) -> None:
    """For another time zone and data source, when asked."""
    arguments = ["--lang", "en", "--timezone", "Asia/Urumqi", "--datasource", "other"]
    result = build("--out", tmp_path, *arguments)
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["en"]
    text = (tmp_path / "en" / "coverage.json").read_text()
    assert "tz('Asia/Urumqi')" in text
    assert "zhixun-influx" not in text
    assert build("--timezone", "Mars/Olympus").exit_code == 2


def test_build_says_where_it_cannot_write(tmp_path: Path) -> None:
    """Exit code 1, with the folder."""
    result = build("--out", written(tmp_path / "file", ""))
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
