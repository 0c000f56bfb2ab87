"""TLS of the console's own: certificates fit, expire, and are renewed under open connections."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from typer.testing import CliRunner

from patrol.cli import app
from patrol.config.sections import Http, Mqtt
from patrol.tls import why_not_valid
from patrol.web import url
from tests.patience import until
from tests.servers import HOST, takes_connections
from tests.stations import configuration, new_station


def make(folder: Path, name: str, *, host: str = "patrol.example", how: str = "ec") -> None:
    """Write a certificate and its key, NAME.pem and NAME.key."""
    kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["rsa:2048"]}[how]
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", *kind, "-days", "9",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1",
         "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_a_certificate_is_valid_now_and_for_its_names(tmp_path: Path) -> None:
    """Whether the authority is known is the browsers' affair."""
    make(tmp_path, "own")
    pair = tmp_path / "own.pem", tmp_path / "own.key"
    assert why_not_valid(*pair, ()) == ""
    assert why_not_valid(*pair, ("patrol.example",)) == ""
    assert "elsewhere.example" in why_not_valid(*pair, ("patrol.example", "elsewhere.example"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("own.pem", "own.key"), "all is well"),
        (("own.pem", "other.key"), "own.pem and other.key are no certificate and its key"),
        (("own.pem", "own.pem"), "own.pem and own.pem are no certificate and its key"),
        (("own.pem", "locked.key"), "without a password"),
        (("elsewhere.pem", "elsewhere.key"), "browsers will refuse it: elsewhere.pem: Hostname"),
        (("old.pem", "old.key"), "old.pem: certificate has expired"),
        (("own.pem",), "certificate and key go together; name both, or neither"),
    ],
)
def test_check_says_what_browsers_would(tmp_path: Path, files: tuple[str, ...], said: str) -> None:
    """A key of another certificate, another host, a password, or the past."""
    config = configuration(tmp_path, broker_url="mqtt://127.0.0.1:1", port=1)
    make(tmp_path, "own")
    make(tmp_path, "other")
    make(tmp_path, "elsewhere", host="elsewhere.example")
    if "locked.key" in files:
        subprocess.run(
            ["openssl", "pkey", "-aes256", "-passout", "pass:x", "-in", "own.key",
             "-out", files[1]],
            check=True, capture_output=True, cwd=tmp_path,
        )  # fmt: skip
    if "old.pem" in files:
        subprocess.run(
            ["openssl", "req", "-new", "-key", "own.key", "-subj", "/CN=old",
             "-addext", "subjectAltName=DNS:patrol.example", "-out", "old.csr"],
            check=True, capture_output=True, cwd=tmp_path,
        )  # fmt: skip
        (tmp_path / "index").touch()
        (tmp_path / "own.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\n"
            "default_md=sha256\ncopy_extensions=copy\npolicy=p\n[p]\ncommonName=supplied\n"
        )
        subprocess.run(
            ["openssl", "ca", "-selfsign", "-batch", "-notext", "-config", "own.cnf",
             "-keyfile", "own.key", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z",
             "-in", "old.csr", "-out", "old.pem"],
            check=True, capture_output=True, cwd=tmp_path,
        )  # fmt: skip
        (tmp_path / "old.key").write_bytes((tmp_path / "own.key").read_bytes())
    keys = [f'{key} = "{file}"' for key, file in zip(("certificate", "key"), files, strict=False)]
    http = "\n".join(("[http]", 'public_hosts = ["patrol.example"]', *keys, ""))
    config.write_text(config.read_text("utf-8").replace("[http]\n", http), "utf-8")
    result = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert said in result.output
    assert result.exit_code == (0 if said == "all is well" else 1)


def subject(port: int) -> str:
    """Who the certificate says that the server is."""
    with socket.create_connection((HOST, port), timeout=20) as conn:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(conn) as secured:
            der = secured.getpeercert(binary_form=True)
    assert der is not None
    return "second" if b"second" in der else "first"


def test_a_renewed_certificate_is_for_new_connections(tmp_path: Path) -> None:
    """SIGHUP: open connections go on, new ones see the new certificate, of another kind of key."""
    station = new_station(tmp_path, "mqtt://127.0.0.1:1")
    text = station.config.read_text("utf-8")
    named = '[http]\ncertificate = "now.pem"\nkey = "now.key"\n'
    station.config.write_text(text.replace("[http]\n", named), "utf-8")

    def use(name: str) -> None:
        for end in ("pem", "key"):
            (tmp_path / f"{name}.{end}").replace(tmp_path / f"now.{end}")

    make(tmp_path, "first", how="rsa")
    make(tmp_path, "second")
    use("first")
    context = ssl.create_default_context(cafile=str(tmp_path / "now.pem"))
    with station:
        station.wait(lambda: takes_connections(station.port))
        assert subject(station.port) == "first"
        client = HTTPSConnection(HOST, station.port, timeout=20, context=context)
        client.request("GET", "/healthz")
        answer = client.getresponse()
        assert answer.read() == b'{"alive":true}'
        assert answer.getheader("strict-transport-security") == "max-age=31536000"
        (tmp_path / "second.key").rename(tmp_path / "kept.key")
        (tmp_path / "now.key").write_text("nonsense")
        station.send(signal.SIGHUP)
        station.wait(lambda: "the certificate is not renewed" in station.said())
        (tmp_path / "kept.key").rename(tmp_path / "second.key")
        assert subject(station.port) == "first"
        use("second")
        station.send(signal.SIGHUP)
        until(lambda: subject(station.port) == "second")
        client.request("GET", "/healthz")
        assert client.getresponse().status == 200
        client.close()


def test_addresses_say_https(tmp_path: Path) -> None:
    """The link of the first administrator, too."""
    make(tmp_path, "own")
    http = Http(certificate=tmp_path / "own.pem", key=tmp_path / "own.key")
    assert url("::1", 8080, http) == "https://[::1]:8080/"
    assert url("h", 80, Http()) == "http://h:80/"


def test_the_certificate_for_the_broker_is_checked_with_its_key(tmp_path: Path) -> None:
    make(tmp_path, "own")
    make(tmp_path, "other")
    url, certificate = "mqtts://broker.example", tmp_path / "own.pem"
    assert Mqtt(url=url, certificate=certificate, key=tmp_path / "own.key").tls
    for key, said in ((None, "go together"), (tmp_path / "other.key", "no certificate and its")):
        with pytest.raises(ValueError, match=said):
            Mqtt(url=url, certificate=certificate, key=key)
