"""Secrets are not shown, and the words of strangers drive no terminal and forge no line."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest

from files.secret import Secret, harmless
from tests.servers import REPOSITORY

ODD = "Mark/ed+1 ?é"


def test_a_secret_is_not_shown() -> None:
    """Neither by itself nor in a list, a message or the message of an error."""
    secret = Secret("hush-hush")
    assert (repr(secret), str(secret), f"{secret}", repr([secret])) == ("", "", "", "[]")
    assert secret.get_secret_value() == "hush-hush"


@pytest.mark.parametrize(
    "spelt",
    [
        ODD,
        ODD.upper(),
        quote(ODD),
        quote(ODD, safe=""),
        quote(ODD, safe="").lower(),
        quote_plus(ODD),
        json.dumps(ODD)[1:-1],
        repr(ODD)[1:-1],
    ],
)
def test_a_known_secret_is_taken_out_in_every_spelling(spelt: str) -> None:
    secret = Secret(ODD)
    assert harmless(f"the token {spelt} is refused") == "the token *** is refused"
    del secret
    assert harmless(spelt) == spelt


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("wecombot://0Marked-Key-1", ["0Marked-Key-1"]),
        ("tgram://1234567:AAMarked2/99887766", ["1234567", "AAMarked2", "99887766"]),
        ("https://hooks.example/services/T0MARK/xyMarked3", ["T0MARK", "xyMarked3"]),
        (
            "https://hooks.example:8443/patrol?key=marked4%2Bx&to=9marked5",
            ["marked4+x", "9marked5"],
        ),
        ("mailto://post:marked@mail.example?smtp=10.1.2.3", ["marked"]),
        ("gotifys://10.1.2.3/AMarked6.with.dots", ["AMarked6.with.dots"]),
    ],
)
def test_what_is_secret_in_a_url_is_known(url: str, parts: list[str]) -> None:
    """Parts too, because services write a URL in their own way; host and short words stay."""
    secret = Secret(url)
    for part in (url, *parts):
        for spelt in (part, quote(part, safe="")):
            assert harmless(f"<{spelt}>") == "<***>"
    for word in ("hooks.example", "mail.example", "10.1.2.3", "8443", "services", "patrol", "post"):
        assert harmless(word) == word
    del secret


def test_a_strangers_text_drives_no_terminal_and_forges_no_line() -> None:
    """Control characters and what reverses writing are shown; a second line is indented."""
    bad = "\x1b[2J\x07\x00\x9b31m\x7f\u202e\u2028\x85\rone\r\n2026-01-01 [error] forged\n\tthree"
    found = harmless(bad)
    shown = r"\x1b[2J\x07\x00\x9b31m\x7f\u202e\u2028\x85\rone"
    assert found == f"{shown}\n    2026-01-01 [error] forged\n    \tthree"
    assert harmless("镜像 Zürich ✓ 车辆") == "镜像 Zürich ✓ 车辆"


LOG = r"""
import logging, threading
import structlog
from files.secret import Secret
from patrol.process import log_to_stderr

FORGED = "\x1b[31m%s\r\n2026-01-01T00:00:00Z [error    ] forged"
secret = Secret("wecombot://SECRETkey")
log_to_stderr("INFO")

def fail(of):
    held_by_a_frame = secret.get_secret_value()
    raise ValueError(f"no {held_by_a_frame} {FORGED}")

log = structlog.get_logger("patrol")
log.info(FORGED, detail=secret.get_secret_value(), words=["SECRETkey", "\x1b[31m"], value=secret)
for tell in (log.exception, logging.getLogger("apprise").exception):
    try:
        fail(tell)
    except ValueError:
        tell("part failed")
logging.getLogger("urllib3").warning(FORGED, "SECRETkey")
thread = threading.Thread(target=fail, args=(1,))
thread.start()
thread.join()
fail(2)
"""


def test_no_log_line_shows_a_secret_or_is_forged() -> None:
    """Ours and a library's, with a traceback or without, a thread's and the end of the process."""
    done = subprocess.run(
        [sys.executable, "-c", LOG], capture_output=True, text=True, cwd=REPOSITORY
    )
    assert done.stdout == ""
    assert done.returncode == 1
    assert "secretkey" not in done.stderr.lower()
    assert "\x1b" not in done.stderr
    begun = [line for line in done.stderr.splitlines() if line.startswith("20")]
    assert len(begun) == 6, done.stderr
    assert not any(line.startswith("2026-01-01T00") for line in begun)
    assert done.stderr.count("Traceback") == 4
    assert "wecombot://" not in done.stderr
