"""`patrol user` and `patrol token`: for who administers the machine; they need no sign-in.

A password comes from a prompt or from standard input, never from the arguments, which other
users of the machine can see.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from dashboards.access.access import Access
from dashboards.access.audit import By
from dashboards.access.roles import Role
from patrol.process import CONFIG, Config, duration, errors_told, say

user = typer.Typer(name="user", help="Who may sign in to the console.", no_args_is_help=True)
token = typer.Typer(name="token", help="How programs use the API.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME")]
RoleOption = Annotated[
    Role,
    typer.Option("--role", help="viewer reads, dispatcher acts on alerts, admin everything."),
]


@user.command("add")
def add_user(name: Name, config: Config = CONFIG, role: RoleOption = "viewer") -> None:
    """Add a user. The password is asked for, or is the first line of standard input."""
    with _access(config) as (access, _):
        access.add_user(_by(access), name, role, _password())
        typer.echo(f"{name} can sign in as {role}")


@user.command("list")
def list_users(config: Config = CONFIG) -> None:
    """All users."""
    with _access(config) as (access, zone):
        table = Table("user", "role", "", "last signed in", box=None)
        for each in access.users():
            state = "disabled" if each.disabled else ""
            table.add_row(each.name, each.role, state, _time(each.signed_in_ms, zone))
        Console(highlight=False, soft_wrap=True).print(table)


@user.command("password")
def set_password(name: Name, config: Config = CONFIG) -> None:
    """Set a user's password; whoever is signed in with the old one is signed out."""
    with _access(config) as (access, _):
        access.change_user(_by(access), name, password=_password())
        typer.echo(f"{name} has a new password")


@user.command("role")
def set_role(name: Name, role: RoleOption, config: Config = CONFIG) -> None:
    """Give a user another role, at once."""
    with _access(config) as (access, _):
        access.change_user(_by(access), name, role=role)
        typer.echo(f"{name} is {role} now")


@user.command("disable")
def disable_user(name: Name, config: Config = CONFIG) -> None:
    """Sign a user out, at once, and let them in no more."""
    with _access(config) as (access, _):
        access.change_user(_by(access), name, disabled=True)
        typer.echo(f"{name} cannot sign in any more")


@user.command("enable")
def enable_user(name: Name, config: Config = CONFIG) -> None:
    """Let a disabled user in again, with the old password."""
    with _access(config) as (access, _):
        access.change_user(_by(access), name, disabled=False)
        typer.echo(f"{name} can sign in again")


@token.command("add")
def add_token(
    name: Name,
    config: Config = CONFIG,
    role: RoleOption = "viewer",
    expires_s: Annotated[
        float | None,
        typer.Option("--expires", parser=duration, help="After, as in 90d.", metavar="DURATION"),
    ] = None,
) -> None:
    """Add a token and print it, this once."""
    with _access(config) as (access, _):
        by = _by(access)
        expires_ms = None if expires_s is None else by.at_ms + round(expires_s * 1000)
        _, secret = access.add_token(by, name, role, expires_ms)
        say("Keep it: nobody can see it again. Use it as  Authorization: Bearer TOKEN")
        typer.echo(secret)


@token.command("list")
def list_tokens(config: Config = CONFIG) -> None:
    """All tokens, without the tokens themselves."""
    with _access(config) as (access, zone):
        table = Table("token", "role", "expires", "last used", "", box=None)
        for each in access.tokens():
            state = "" if each.revoked_ms is None else f"revoked {_time(each.revoked_ms, zone)}"
            expires = "never" if each.expires_ms is None else _time(each.expires_ms, zone)
            table.add_row(each.name, each.role, expires, _time(each.used_ms, zone), state)
        Console(highlight=False, soft_wrap=True).print(table)


@token.command("revoke")
def revoke_token(name: Name, config: Config = CONFIG) -> None:
    """End a token, at once and for good."""
    with _access(config) as (access, _):
        access.revoke_token(_by(access), name)
        typer.echo(f"{name} is worth nothing now")


@contextmanager
def _access(config: Path) -> Iterator[tuple[Access, ZoneInfo]]:
    """The installation's users, beside a station that may be running."""
    from patrol import web
    from patrol.config.settings import load

    with errors_told():
        settings = load(config)
        with closing(web.access_of(settings)) as access:
            yield access, settings.district.tz


def _by(access: Access) -> By:
    try:
        person = getpass.getuser()
    except (OSError, KeyError):  # a container's user often has no name
        person = "unknown"
    return access.by(f"cli:{person}")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _time(at_ms: int | None, zone: ZoneInfo) -> str:
    if at_ms is None:
        return "never"
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(" ", "minutes")
