"""The commands `patrol dashboards build` and `patrol dashboards push`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from files.secret import Secret
from patrol.errors import ConfigError, Problem, Unreachable
from patrol.process import CONFIG, errors_told
from words.catalogue import LANGUAGES, Language

app = typer.Typer(help="Grafana's dashboards: as files, or straight to it.", no_args_is_help=True)


def _as_in_patrol_toml(kind: str) -> Callable[[str], str]:
    """A parser that reads an option as a key of that kind is read."""

    def read(text: str) -> str:
        from patrol.config import fields

        try:
            return str(getattr(fields, kind)(text))
        except ValueError as exc:
            raise typer.BadParameter(str(exc)) from exc

    return read


_timezone, _web_url = map(_as_in_patrol_toml, ("timezone", "web_url"))

Zone = Annotated[
    str, typer.Option("--timezone", parser=_timezone, help="Where days begin.", metavar="NAME")
]
Source = Annotated[
    str, typer.Option("--datasource", help="Identity (uid) of the data source in Grafana.")
]


@app.command()
def build(
    lang: Annotated[Language | None, typer.Option(help="Only this language.")] = None,
    folder: Annotated[
        Path, typer.Option("--out", help="Where to; in it a folder for each language.")
    ] = Path("grafana-dashboards"),
    timezone: Zone = "Asia/Shanghai",
    datasource: Source = "zhixun-influx",
) -> None:
    """Write Grafana's JSON of all dashboards."""
    from dashboards.grafana.build import build as built
    from dashboards.grafana.edition import Edition

    with errors_told():
        for language in (lang,) if lang else LANGUAGES:
            place = folder / language
            try:
                place.mkdir(parents=True, exist_ok=True)
                for name, data in built(Edition(language, timezone, datasource)).items():
                    (place / name).write_bytes(data)
                    typer.echo(place / name)
            except OSError as exc:
                problem = Problem(str(place), f"cannot be written: {exc.strerror}")
                raise ConfigError([problem]) from exc


@app.command()
def push(
    grafana: Annotated[str, typer.Option(parser=_web_url, help="Its address.", metavar="URL")],
    token_file: Annotated[
        Path | None,
        typer.Option(help="Holds a service account's token; else GRAFANA_USER, GRAFANA_PASSWORD."),
    ] = None,
    lang: Annotated[Language, typer.Option(help="Of the dashboards.")] = "zh",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Take InfluxDB, time zone and limits from it; else from patrol.toml, if there.",
            metavar="PATROL.TOML",
        ),
    ] = None,
    influx: Annotated[
        str | None,
        typer.Option(parser=_web_url, help="InfluxDB, as Grafana reaches it.", metavar="URL"),
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="Or database, that Grafana reads.")] = None,
    influx_token_file: Annotated[
        Path | None, typer.Option(help="Holds a token that may read it.")
    ] = None,
    only_dashboards: Annotated[
        bool, typer.Option("--only-dashboards", help="Leave the data source alone.")
    ] = False,
    timezone: Annotated[
        str | None, typer.Option(parser=_timezone, help="Where days begin.", metavar="NAME")
    ] = None,
    datasource: Source = "zhixun-influx",
) -> None:
    """Bring folder, data source and dashboards to a Grafana; doing it again changes nothing."""
    from dashboards.grafana.edition import TIMEZONE, Edition
    from dashboards.grafana_push import GrafanaRefuses, GrafanaUnreachable, Influx, connect
    from dashboards.grafana_push import push as bring
    from patrol.config.settings import load

    with errors_told():
        config = config or (CONFIG if CONFIG.exists() else None)
        settings = None if config is None else load(config)
        # Its token is the station's, and may only write: Grafana needs one of its own.
        section = None if settings is None else settings.influx
        store = Influx(
            influx or (section.url if section else None),
            bucket or (section.bucket if section else None),
            _secret(influx_token_file, "--influx-token-file") if influx_token_file else None,
        )
        edition = Edition(lang, timezone or TIMEZONE, datasource)
        if settings is not None:
            edition = replace(
                edition,
                timezone=timezone or settings.district.timezone,
                battery_low_percent=settings.rules.limits["battery_low_percent"],
            )
        user, secret = _credential(token_file)
        client = connect(grafana, user, secret)
        where = grafana.rstrip("/")
        try:
            bring(
                client,
                edition,
                influx=None if store == Influx() else store,
                only_dashboards=only_dashboards,
                told=lambda done: typer.echo(f"{done.what}: {done.outcome}"),
            )
        except GrafanaRefuses as exc:
            raise ConfigError([Problem(where, str(exc))]) from exc
        except GrafanaUnreachable as exc:
            raise Unreachable(f"{where}: {exc}") from exc
    typer.echo(f"{where}/d/zhixun-fleet")


def _credential(token_file: Path | None) -> tuple[str | None, Secret | None]:
    if token_file is not None:
        return None, _secret(token_file, "--token-file")
    user, password = os.environ.get("GRAFANA_USER"), os.environ.get("GRAFANA_PASSWORD")
    if user and password:
        return user, Secret(password)
    token = os.environ.get("GRAFANA_TOKEN")
    return None, Secret(token) if token else None


def _secret(path: Path, option: str) -> Secret:
    from patrol.config.fields import read_secret, secret_file

    try:
        return read_secret(secret_file(path))
    except ValueError as exc:
        raise ConfigError([Problem(option, str(exc))]) from exc
