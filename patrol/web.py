"""The web server of the station: its port, the names it answers to, and who may come in."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from dashboards.access.access import FILE_NAME, Access
from dashboards.access.sessions import Lifetime
from dashboards.access.tokens import StaticToken, parse_tokens_file
from dashboards.api.loopback import Hosts
from patrol.clock import Clock
from patrol.config.fields import is_loopback
from patrol.config.sections import Http, Settings
from patrol.data_folder import keep_private
from patrol.errors import ConfigError, Problem, Unreachable
from patrol.port import HEAD_BYTES, PATIENCE_S, Conversation, Phase, Port
from patrol.tls import Certificate

TRIES = 50
HIGHEST_PORT = 65_535

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:{tiles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a page may load. Its data are no script: they stand in a block that nobody runs."""

HSTS = (("Strict-Transport-Security", "max-age=31536000"),)
"""For a year browsers come by TLS only."""


class WebServer(uvicorn.Server):
    """A uvicorn that leaves signals and the process to the station, and limits strangers."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        http: Http,  # limits, and which proxies to believe
        tile_url: str | None = None,  # where pages may load the base map from
        patience_s: Mapping[Phase, float] = PATIENCE_S,
    ) -> None:
        self._certificate = None if http.pair is None else Certificate(*http.pair)
        front = None if self._certificate is None else self._certificate.front
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_level="error",  # strangers can provoke warnings, as many as they like
                access_log=False,
                server_header=False,
                headers=[*headers(tile_url), *(HSTS if front else ())],
                ssl_context_factory=(lambda config, default: front) if front else None,
                ws="none",
                h11_max_incomplete_event_size=HEAD_BYTES,
                # By default the server believes every local program that says to be a proxy.
                proxy_headers=bool(http.trusted_proxies),
                forwarded_allow_ips=list(http.trusted_proxies),
                timeout_graceful_shutdown=1,
                backlog=128,
            )
        )
        self._http, self._patience_s = http, patience_s
        self.socket: Port | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone: on SIGTERM the intake ends first, and the web last."""
        yield

    async def run_until_told(self) -> None:
        """Serve until `should_exit` is set.

        Unreachable: it cannot listen: the port was free a moment ago, and is not any more.
        """
        host, port = self.config.host, self.config.port
        try:
            self.socket = Port(host, port, self._http, self._patience_s)
            self.config.http = partial(Conversation, self.socket)  # type: ignore[assignment]
            await self.serve([self.socket])
        except OSError as exc:
            if self.started:
                raise
            raise Unreachable(
                f"the console cannot listen on port {port} of {host}: stop what listens there, "
                "or choose another port"
            ) from exc

    def renew_certificate(self) -> None:
        """Read the certificate again, if there is one."""
        if self._certificate is not None:
            self._certificate.renew()

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second."""
        if counter % 10 == 0 and self.socket is not None:
            self.socket.sweep()
        return await super().on_tick(counter)


def headers(tile_url: str | None) -> Iterator[tuple[str, str]]:
    """What every answer says to browsers: a page of this server, an error, a file, metrics."""
    tiles = ""
    if tile_url is not None and not tile_url.startswith("/"):
        scheme, _, rest = tile_url.partition("://")
        tiles = f" {scheme}://{rest.partition('/')[0].replace('{s}', '*')}"
    yield "Content-Security-Policy", POLICY.format(tiles=tiles)
    yield "X-Content-Type-Options", "nosniff"
    yield "X-Frame-Options", "DENY"
    yield "Referrer-Policy", "same-origin"
    yield "Cross-Origin-Opener-Policy", "same-origin"
    yield "Cross-Origin-Resource-Policy", "same-origin"
    yield "Permissions-Policy", "camera=(), geolocation=(), microphone=()"


def hosts(http: Http) -> Hosts:
    """Under which names the server answers, and to whose pages."""
    return Hosts(
        frozenset(http.public_hosts),
        beyond=not is_loopback(http.host),
        origins=frozenset(http.cors_origins),
    )


def url(host: str, port: int, http: Http) -> str:
    """The address to open in a browser."""
    scheme = "http" if http.pair is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


TAKEN = "is taken"
"""Of a port that can be had when another program has ended; it may be this one."""


def why_not_free(host: str, port: int) -> str:
    """Why one cannot listen on a port now, and what to do; empty when one can."""
    try:
        with _socket_for(host) as trial:
            trial.bind((host, port))
    except OSError as exc:
        where = f"port {port} on {host}"
        if exc.errno == errno.EADDRINUSE:
            return f"{where} {TAKEN}: stop what listens there, or choose another port"
        if exc.errno == errno.EACCES:
            return f"{where} needs more rights than this user has; choose one from 1024 on"
        return f"nothing can listen on {where}: {exc.strerror or exc}"
    return ""


def any_free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now; OSError when there is none."""
    with _socket_for(host) as trial:
        trial.bind((host, 0))
        return int(trial.getsockname()[1])


def wanted_port(host: str, port: int) -> int:
    """`port`, or any free one for 0. Raises Unreachable when one cannot listen there."""
    if why := why_not_free(host, port):
        raise Unreachable(why)
    return port or any_free_port(host)


def next_free_port(host: str, port: int) -> int:
    """The first free port from `port` on. Raises Unreachable when none of 50 is free."""
    last = min(port + TRIES - 1, HIGHEST_PORT)
    for candidate in range(port, last + 1):
        if not why_not_free(host, candidate):
            return candidate
    raise Unreachable(f"none of the ports {port} to {last} on {host} is free: choose one")


def _socket_for(host: str) -> socket.socket:
    """A socket that may listen on a port that another has just left."""
    trial = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return trial


def tokens_of(settings: Settings) -> tuple[StaticToken, ...]:
    """The tokens of the tokens file, if there is one. OSError, TokensFileError: not readable."""
    file = settings.http.tokens_file
    return () if file is None else parse_tokens_file(file.read_text("utf-8-sig"))


def access_of(settings: Settings) -> Access:
    """The users, sessions and tokens of an installation; whoever asks closes their file.

    AccessUnavailable, AccessUnreadable: see :class:`dashboards.access.audit.AccessFile`.
    TokensFileError: the tokens file has wrong lines.
    OSError: the folder of the storage cannot be made, or the tokens file not be read.
    """
    keep_private(settings.storage.path)
    http = settings.http
    lifetime = Lifetime(http.session_idle_s * 1000, http.session_max_s * 1000)
    path = settings.storage.path / FILE_NAME
    return Access(path, Clock().now_ms, lifetime=lifetime, static_tokens=tokens_of(settings))


def refuse_strangers(http: Http, access: Access | None) -> None:
    """Raise ConfigError rather than listen for other machines before there is a user to sign in."""
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
