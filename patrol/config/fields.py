"""The kinds of value that patrol.toml holds, each with the advice it gives when wrong.

A path in patrol.toml is relative to the folder of patrol.toml. Validators read that folder
from :data:`FOLDER`, because the models of a settings tree are given no other context.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from alerts.calendar_exceptions import ExceptionCalendar
from alerts.duty_hours import Hours
from alerts.errors import PolicyError
from alerts.notify.apprise import AppriseNotifier
from alerts.notify.wording import Wording
from bikes.topics import BIKE_FORM, TopicPattern, is_bike
from dashboards.access.tokens import TokensFileError, parse_tokens_file
from files.secret import Secret
from words.times import duration_s

FOLDER: ContextVar[Path] = ContextVar("FOLDER")
"""The folder that relative paths start from; the working directory when it is not set."""

MAX_FILE_BYTES = 64 << 20
"""Bytes of a file that the configuration names."""

CLOCK_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
"""A time of day, 00:00 to 23:59."""

_ANY_ZONE = zoneinfo.ZoneInfo("UTC")
"""Whether hours and calendars are well written does not depend on the district's zone."""


_NOWHERE = frozenset({"Factory", "localtime", "posixrules"})
"""Names beside the time zones that no browser knows."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "…"?`` when a known word is close to `word`, else nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _distinct(words: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise ValueError(f"named more than once: {', '.join(twice)}")
    return words


def _bike(name: str) -> str:
    if not is_bike(name):
        raise ValueError(f'"{name}" cannot be a bike\'s id; use {BIKE_FORM}')
    return name


def _day(value: object, read: ValidatorFunctionWrapHandler) -> date | datetime:
    try:
        day = read(value)
    except ValidationError:
        raise ValueError(
            f"{value!r} is not a date such as 2026-10-01 or a time such as 2026-10-01T08:00"
        ) from None
    assert isinstance(day, date)
    return day


def _above_zero(seconds: int) -> int:
    if seconds <= 0:
        raise ValueError("must be longer than nothing")
    return seconds


def _clock_time(text: str) -> str:
    if CLOCK_TIME.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a time of day; write for example "08:30"')
    return text


def _hours(lines: tuple[str, ...]) -> tuple[str, ...]:
    try:
        Hours.parse(lines, _ANY_ZONE)
    except PolicyError as exc:
        raise ValueError("; ".join(problem.message for problem in exc.problems)) from exc
    return lines


def _path(path: Path) -> Path:
    if path == Path():
        raise ValueError("the path is empty")
    return located(path, FOLDER.get(Path()))


def located(path: Path | str, folder: Path) -> Path:
    """A path from a folder on, absolute. ValueError: no file can have it, or be looked for."""
    try:
        found = (folder / Path(path).expanduser()).resolve()
        found.exists()  # raises when a name is too long
        return found
    except (OSError, RuntimeError, ValueError) as exc:
        raise ValueError(f"{str(path)!r:.80} is not a path: {exc}") from exc


def _file(path: Path) -> Path:
    found = _path(path)
    if found.is_dir():
        raise ValueError(f"{path} is a folder; name a file")
    try:
        read_bounded(found)
        return found
    except FileNotFoundError:
        raise ValueError(f"there is no file {path} in {found.parent}") from None
    except OSError as exc:
        raise ValueError(f"{path} cannot be read: {exc.strerror}") from exc


def read_bounded(path: Path) -> bytes:
    """A file of the configuration. OSError: unreadable. ValueError: no plain file, or too large."""
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path} has more than {MAX_FILE_BYTES >> 20} MiB, or no end")
    return content


def _folder(path: Path) -> Path:
    found = _path(path)
    if found.exists() and not found.is_dir():
        raise ValueError(f"{path} is a file; name a folder")
    return found


def _read_by(read: Callable[[Path], object]) -> Callable[[Path], Path]:
    """A check that a file can be read by a function, whose error then says what is wrong."""

    def check(path: Path) -> Path:
        found = _file(path)
        try:
            read(found)
        except UnicodeDecodeError as exc:
            raise ValueError(f"{path} is not UTF-8 text; save it as UTF-8") from exc
        except (PolicyError, TokensFileError) as exc:
            raise ValueError(f"{path}: {exc}") from exc
        except ValueError as exc:
            raise ValueError(f"{path} {exc}") from exc
        return found

    return check


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def secret_file(path: Path) -> Path:
    """The path of a file with a secret in it, absolute.

    Raises ValueError when there is none; it does not repeat the path, for somebody may have
    written the secret in its place.
    """
    try:
        found = _file(path)
        secret = read_secret(found)
    except (OSError, ValueError):
        raise ValueError("names no file of text that can be read") from None
    if not secret:
        raise ValueError("names a file without a secret; write it on the first line")
    return found


def read_secret(path: Path) -> Secret:
    """The secret in a file: its first line, without white space around it, maybe empty.

    Raises OSError, or UnicodeDecodeError when it is no UTF-8.
    """
    with path.open(encoding="utf-8-sig") as lines:
        return Secret(lines.readline().strip())


def timezone(name: str) -> str:
    """The name of a time zone, if there is one of this name; ValueError says which is like it."""
    try:
        if name in _NOWHERE or name.startswith(("posix/", "right/")):
            raise ValueError(name)
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, zoneinfo.available_timezones())
        raise ValueError(
            f'there is no timezone "{name}"{hint or "; one is for example Asia/Shanghai"}'
        ) from None
    return name


def _split(url: str, example: str) -> SplitResult:
    """The parts of a URL. A message never repeats any of it, for it may hold a secret."""
    try:
        parts = urlsplit(url)
        if parts.port == 0:  # raises when it is not a number, and says what stands there
            raise ValueError
    except ValueError:
        wrong = "is not a URL, or what follows the colon is not the number of a port"
        raise ValueError(f'{wrong}; write for example "{example}"') from None
    return parts


def _mqtt_url(url: str) -> str:
    example = "mqtt://broker.example:1883"
    parts = _split(url, example)
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "holds a user name or password, which would end up in logs; "
            "use the keys username and password_file"
        )
    if parts.scheme not in ("mqtt", "mqtts"):
        raise ValueError(f'must start with mqtt:// or mqtts:// (TLS), for example "{example}"')
    if not parts.hostname:
        raise ValueError(f'names no host; write for example "{example}"')
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f'must end after the port, for example "{example}"')
    return url


def _notify_url(url: Secret) -> Secret:
    try:
        AppriseNotifier("", url, Wording("en", _ANY_ZONE)).check()
    except PolicyError:
        raise ValueError(
            'is neither a webhook, for example "https://hooks.example/patrol", nor a URL that '
            "Apprise knows"
        ) from None
    return url


def _notify_url_file(path: Path) -> Path:
    """A file with a URL that others of the machine cannot read; in a container there are none."""
    if path.stat().st_mode & 0o007 and not path.is_relative_to("/run/secrets"):
        raise ValueError(f"everybody may read {path.name}; take that away: chmod 640 {path}")
    _notify_url(read_secret(path))
    return path


def web_url(url: str) -> str:
    """A URL of http or https without a password; ValueError repeats no part of another."""
    example = "http://127.0.0.1:8086"
    parts = _split(url, example)
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name or password, which everybody may see; use token_file")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'must be an http:// or https:// URL, for example "{example}"')
    return url


def _tile_url(url: str) -> str:
    # {s}, the server's letter, may stand in the host; nothing is resolved here.
    if not url.startswith(("http://", "https://", "/")):
        raise ValueError("must start with http://, https:// or / (a path on this server)")
    lacking = [part for part in ("{z}", "{x}", "{y}") if part not in url]
    if lacking:
        raise ValueError(f"lacks {', '.join(lacking)}, where zoom, column and row of a tile go")
    return url


def _listen(text: str) -> str:
    split_listen(text)
    return text


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _public_host(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", name):
        raise ValueError(
            f'"{name}" is not a host name; write it without scheme and port, for example '
            '"patrol.example"'
        )
    return name.lower()


def _cors_origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", text):
        raise ValueError(
            f'"{text}" is not an origin; write scheme and host, for example "https://map.example", '
            'or "*" for the pages of all'
        )
    return text.lower()


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f'"{text}" is not an address or network; write for example "127.0.0.1" or "10.0.0.0/8"'
        ) from None
    return text


def split_listen(text: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 host stands in brackets.

    ValueError: the text has no host, or no port from 0 (any free port) to 65535.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise ValueError(f'"{text}" is not host:port; write for example "127.0.0.1:8080"')
    return host, int(port)


Name = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9_-]{1,64}\z")]
"""A vendor, zone, policy …: what may stand in an MQTT topic."""
Names = Annotated[tuple[Name, ...], AfterValidator(_distinct)]
"""Names, none of them twice."""
Topic = Annotated[str, AfterValidator(lambda text: TopicPattern(text).pattern)]
"""A vendor's own topic pattern, such as ``owntracks/hello/{bike}``."""
BikeIds = Annotated[tuple[Annotated[str, AfterValidator(_bike)], ...], AfterValidator(_distinct)]
Bikes = Annotated[
    Annotated[BikeIds, Tag("[list]")] | Annotated[Literal["any"], Tag("[any]")],
    Discriminator(lambda value: "[any]" if value == "any" else "[list]"),
]
"""The ids of a vendor's bikes, or "any"."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Hold = Annotated[int, BeforeValidator(duration_s)]
"""A duration or nothing, written "1h30m", kept as seconds."""
Duration = Annotated[Hold, AfterValidator(_above_zero)]
"""A :data:`Hold` of more than nothing."""
ClockTime = Annotated[str, AfterValidator(_clock_time)]
"""A time of the day, written "08:30"."""
HourLines = Annotated[tuple[Text, ...], AfterValidator(_hours)]
"""Patrol hours as they are written; see :mod:`alerts.duty_hours`."""
File = Annotated[Path, AfterValidator(_file)]
"""A file that is there and can be read; absolute."""
CalendarFile = Annotated[
    Path, AfterValidator(_read_by(lambda path: ExceptionCalendar(_text(path), _ANY_ZONE)))
]
"""An iCalendar file of exceptions; absolute."""
Folder = Annotated[Path, AfterValidator(_folder)]
"""A folder, or nothing yet; absolute."""
SecretFile = Annotated[Path, AfterValidator(secret_file)]
"""A file with a secret on its first line; see :func:`read_secret`."""
Day = Annotated[date | datetime, WrapValidator(_day)]
Timezone = Annotated[str, AfterValidator(timezone)]
MqttUrl = Annotated[str, AfterValidator(_mqtt_url)]
WebUrl = Annotated[str, AfterValidator(web_url)]
TileUrl = Annotated[str, AfterValidator(_tile_url)]
NotifyUrl = Annotated[Secret, AfterValidator(_notify_url)]
"""A webhook or an Apprise URL; it may hold a secret."""
NotifyUrlFile = Annotated[SecretFile, AfterValidator(_notify_url_file)]
"""A file with a :data:`NotifyUrl` on its first line."""
Listen = Annotated[str, AfterValidator(_listen)]
PublicHost = Annotated[str, AfterValidator(_public_host)]
"""A name that people type to reach the console, in small letters."""
CorsOrigin = Annotated[str, AfterValidator(_cors_origin)]
Network = Annotated[str, AfterValidator(_network)]
"""An address, or a network such as 10.0.0.0/8."""
TokensFile = Annotated[Path, AfterValidator(_read_by(lambda path: parse_tokens_file(_text(path))))]
"""A file of API tokens; absolute. See :mod:`dashboards.access.tokens`."""


class Section(BaseModel):
    """A table: frozen, and a key that is not listed is a mistake."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _switches_are_switches(cls, value: object, info: ValidationInfo) -> object:
        # Pydantic would read true as the number 1.
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and bool not in (kind, *get_args(kind)):
            raise ValueError("is not a switch; it cannot be true or false")
        return value
