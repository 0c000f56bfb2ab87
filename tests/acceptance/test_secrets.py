"""Every secret of the configuration, every failure, and nothing that says what the secret is."""

from __future__ import annotations

import signal
import socket
import socketserver
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import mqtt5
import psutil
import pytest
from click.testing import Result
from typer.testing import CliRunner

from alerts.findings import Step
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.wording import Wording
from alerts.store.alert_rows import Opening
from alerts.store.book import AlertBook, Change
from files.secret import Secret, harmless
from patrol.cli import app
from patrol.config.fields import SecretFile, Section
from patrol.config.sections import Settings
from patrol.config.tables import NAMED_TABLES, Key, variable
from tests.broker import Packets
from tests.servers import HOST, Answer, Request, answering
from tests.stations import Station, new_station

MARK = "zq7Hush"
"""In every secret of this test, and nowhere else."""
FORGED = "\x1b[31mred\r\n2026-01-01T00:00:00Z [error    ] forged\x9b2J"
"""In all that servers say."""


def kinds(kind: object) -> Iterator[object]:
    """A type, and those that it is made of."""
    yield kind
    for part in get_args(kind):
        yield from kinds(part)


def secret_settings(model: type[Section] = Settings, table: Key = ()) -> Iterator[tuple[Key, bool]]:
    """The settings that are a secret, or (True) name a file with one; tables named `marked`."""
    for name, field in model.model_fields.items():
        key = (*table, field.alias or name)
        found = list(kinds(field.annotation))
        in_file = SecretFile in found or bool({*field.metadata} & {*SecretFile.__metadata__})
        if in_file or Secret in found:
            yield key, in_file
        for section in found:
            if isinstance(section, type) and issubclass(section, Section):
                yield from secret_settings(
                    section, (*key, "marked") if name in NAMED_TABLES else key
                )


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Key, str]:
    """A secret in every setting that holds one, by its variable."""
    found = {}
    for number, (key, in_file) in enumerate(secret_settings()):
        secret = f"{MARK}{number:02}/a+b=c"
        if in_file:
            file = tmp_path / f"secret{number}"
            file.write_text(f"{secret}\n", "utf-8")
            monkeypatch.setenv(variable(key), str(file))
        else:
            secret = f"json://{MARK}User:{secret[:9]}@127.0.0.1:1/{secret}"
            monkeypatch.setenv(variable(key), secret)
        found[key] = secret
    assert found.keys() >= {
        ("mqtt", "password_file"),
        ("influx", "token_file"),
        ("notify", "marked", "url"),
    }
    monkeypatch.setenv("PATROL_MQTT__USERNAME", "patrol")
    monkeypatch.setenv("PATROL_INFLUX__BUCKET", "patrol")
    monkeypatch.setenv("PATROL_INFLUX__URL", "http://127.0.0.1:1")
    return found


def patrol(*args: object) -> Result:
    """The result of a command that is run in this process."""
    return CliRunner().invoke(app, [str(arg) for arg in args])


def hidden(text: str | bytes, where: str) -> None:
    """Check that a text holds no secret."""
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    at = text.lower().find(MARK.lower())
    assert at < 0, f"{where}: {text[max(at - 300, 0) : at + 60]!r}"


@contextmanager
def refusing_broker(password: bytes) -> Iterator[int]:
    """A broker that refuses who speaks 3.1.1, and ends the others with their password as reason."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            sock: socket.socket = self.request
            if b"\x00\x04MQTT\x04" in sock.recv(4096, socket.MSG_PEEK):
                sock.sendall(b"\x20\x02\x00\x05")
                return
            packets = Packets(sock)
            hello = packets.next()
            assert isinstance(hello, mqtt5.ConnectPacket)
            assert hello.password == password
            sock.sendall(mqtt5.ConnAckPacket().write())
            packets.next()
            said = f"no user {password.decode()}{FORGED}"
            code = mqtt5.DisconnectReasonCode.ADMINISTRATIVE_ACTION
            sock.sendall(mqtt5.DisconnectPacket(reason_code=code, reason_str=said).write())

    class Listening(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Whoever asks may go away."""

    with Listening((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def echo(request: Request) -> Answer:
    """Refuse, and say what was asked, with all that came along."""
    said = f"{request.path} {request.headers} {FORGED}"
    return Answer(401 if "write" in request.path else 500, said)


def an_alert(folder: Path, *channels: str) -> None:
    """Put an alert into a new book of which these channels are to be told."""
    words = Wording("en", ZoneInfo("Asia/Shanghai"))
    people = [AppriseNotifier(name, Secret("json://x"), words) for name in channels]
    folder.mkdir()
    book = AlertBook(folder / "alerts.sqlite", people)
    steps = tuple(Step(step, "idle_over_frequency", {}) for step in ("raise", "activate"))
    book.record([Change(Opening("zone_unpatrolled", "critical", "cy-01", None), steps)], 1)
    book.close_file()


def asked(station: Station, path: str, **options: object) -> bytes:
    """What is answered, of any status."""
    try:
        with urllib.request.urlopen(station.request(path, **options), timeout=60) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.read()


def everything_answered(station: Station) -> Iterator[tuple[str, bytes]]:
    """The answers of all routes that need no argument, and of attempts to come in."""
    for path in ("/", "/login", "/metrics", "/readyz", "/healthz", "/no/such"):
        yield path, asked(station, path)
    for path, methods in station.get("/api/v1/openapi.json")["paths"].items():
        if "get" in methods and "{" not in path and not path.endswith(("stream", "live", "feed")):
            yield path, asked(station, path)
    for body in (
        b'{"username": "ada", "password": "%s"}',
        b'{"username": 1, "password": ["%s"]}',
        b'{"password": "%s"}',
        b'"%s',
    ):
        data = body % f"{MARK}Password99".encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{station.port}/api/v1/session", data, headers
        )
        try:
            urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            yield "/api/v1/session", error.read()


@pytest.mark.timeout(300)
def test_a_station_in_trouble_tells_no_secret(
    tmp_path: Path, marked: dict[Key, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever refuses, fails or echoes: not in log, answers, files, arguments or children."""
    password, token = marked["mqtt", "password_file"], marked["influx", "token_file"]
    folder = tmp_path / "station"
    with answering(echo) as url, refusing_broker(password.encode()) as port:
        secret = f"{MARK}Hook/x%2By?key={MARK}Key%3D&-x={MARK}"
        for name, where in {
            "hook": f"{url}/{secret}",
            "user": f"{url.replace('//', f'//user:{MARK}@')}/{secret}",
            "gotify": f"gotify://{url[7:]}/{MARK}Token1234567",
            "mail": f"mailto://user:{MARK}@127.0.0.1:1?smtp=127.0.0.1&from=a@b.example",
        }.items():
            monkeypatch.setenv(f"PATROL_NOTIFY__{name.upper()}__URL", where)
        monkeypatch.setenv("PATROL_INFLUX__URL", url)
        station = new_station(folder, f"mqtt://{HOST}:{port}")
        an_alert(folder / "data", "hook", "user", "gotify", "mail", "marked")
        with station:
            station.wait(lambda: station.said().count("notification_failed") >= 5)
            station.wait(lambda: "ended the connection" in station.said())
            station.wait(lambda: "refuses the token" in str(station.get("/readyz")))
            answers = dict(everything_answered(station))
            process = psutil.Process(station.pid)
            hidden("\0".join(process.cmdline()), "arguments")
            assert process.children(recursive=True) == []
            for file in (folder / "data").glob("*.sqlite*"):
                hidden(file.read_bytes(), file.name)
            # Now the parts fail in a way that nobody foresaw.
            for file in (folder / "data").glob("*.sqlite*"):
                file.write_bytes(b"no database" * (file.stat().st_size // 11 + 1))
            station.wait(lambda: "Traceback" in station.said())
            answers |= {f"{path} later": said for path, said in everything_answered(station)}
            station.send(signal.SIGHUP)
            station.send(signal.SIGTERM)
            station.wait(lambda: not station.runs)
        for path, answer in answers.items():
            hidden(answer, path)
            assert b"\x1b" not in answer, path
        # And so does a start.
        station.start()
        station.wait(lambda: not station.runs)
        said = station.said()
        hidden(said, "log")
        assert "\x1b" not in said
        assert "\x9b" not in said
        assert not [line for line in said.splitlines() if line.startswith("2026-01-01T00:00:00Z")]
        assert token not in said


def test_mistakes_in_secrets_are_named_without_them(
    tmp_path: Path, marked: dict[Key, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret in place of its file, a URL of no service or without quotes, an empty file."""
    station = new_station(tmp_path / "station", "mqtt://127.0.0.1:1")
    (tmp_path / "empty").touch()
    for wrong in (f"{MARK}-itself", f"{MARK}:// {MARK}", str(tmp_path), str(tmp_path / "empty")):
        for key in marked:
            monkeypatch.setenv(variable(key), wrong)
        done = patrol("check", "--config", station.config)
        assert done.exit_code == 1
        assert len(done.stderr.splitlines()) == len(marked), done.stderr
        hidden(done.output, wrong)
    for key in marked:
        monkeypatch.delenv(variable(key))
    text = station.config.read_text("utf-8")
    for value in (f"wecombot://{MARK}99", f'"{MARK}', f"['{MARK}']", f'"""{MARK}'):
        station.config.write_text(f"{text}\n[notify.desk]\nurl = {value}\n", "utf-8")
        done = patrol("check", "--config", station.config)
        assert done.exit_code == 1
        assert f"{harmless(str(station.config))}:" in done.stderr
        hidden(done.output, value)


def test_pushing_dashboards_tells_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Grafana that refuses and echoes what it was given, by a file or by the environment."""
    file = tmp_path / "token"
    file.write_text(f"glsa_{MARK}_1\n")
    for status in (401, 403, 404, 418, 500):
        with answering(lambda asked: Answer(status, echo(asked).body)) as url:  # noqa: B023
            for options in (("--token-file", file), ("--influx-token-file", file)):
                monkeypatch.setenv("GRAFANA_USER", "boss")
                monkeypatch.setenv("GRAFANA_PASSWORD", f"{MARK}-of-the-boss")
                done = patrol("dashboards", "push", "--grafana", url, *options)
                assert done.exit_code in (1, 3)
                hidden(done.output, f"{status} {options}")
                assert "\x1b" not in done.output
