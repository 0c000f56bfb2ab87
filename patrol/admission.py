"""Access control of an installation: its file, and whether it may listen where it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dashboards.access.access import FILE_NAME, Access, AccessOptions
from dashboards.access.sessions import Lifetime
from dashboards.access.tokens import parse_tokens_file
from dashboards.api.loopback import Hosts
from patrol.clock import WallClock
from patrol.errors import ConfigError, Problem
from patrol.fields import is_loopback
from patrol.sections import Http
from patrol.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Access]:
    """The users, sessions and tokens of an installation.

    Raises
    ------
    AccessUnavailable, AccessUnreadable
        See :class:`dashboards.access.file.AccessFile`.
    OSError
        The folder of the storage cannot be made.
    """
    settings.storage.path.mkdir(parents=True, exist_ok=True)
    http = settings.http
    tokens = parse_tokens_file(http.tokens_file.read_text("utf-8-sig")) if http.tokens_file else ()
    options = AccessOptions(
        lifetime=Lifetime(http.session_idle_s * 1000, http.session_max_s * 1000),
        static_tokens=tokens,
    )
    access = Access(settings.storage.path / FILE_NAME, WallClock().now_ms, options)
    try:
        yield access
    finally:
        access.close()


def hosts(http: Http) -> Hosts:
    """Under which names the web answers."""
    return Hosts(frozenset(http.public_hosts), beyond=not is_loopback(http.host))


def refuse_strangers(http: Http, access: Access | None) -> None:
    """Refuse to listen where other machines can come in before there is anybody to sign in.

    Raises
    ------
    ConfigError
        With what to do.
    """
    if is_loopback(http.host) or (access is not None and access.has_users()):
        return
    message = f'"{http.listen}" can be reached from other machines, and '
    if access is None:
        message += "the demo asks nobody to sign in; it listens on this machine only"
    else:
        message += (
            "there is no user yet: add one with  patrol user add NAME --role admin --config "
            f'PATROL.TOML  or start once with listen = "127.0.0.1:{http.port}" and open the link '
            "that is printed"
        )
    raise ConfigError([Problem("http.listen", message)])


def invitation_link(access: Access, url: str) -> str | None:
    """The one-time link for the first administrator; None when there is anybody already."""
    return None if access.accounts.users() else f"{url}setup#{access.invite()}"
