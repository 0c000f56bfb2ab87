"""The dashboards as files: their names, and the bytes that are committed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.alerts import alerts
from dashboards.grafana.board import Board
from dashboards.grafana.coverage import coverage
from dashboards.grafana.edition import Edition
from dashboards.grafana.fleet import fleet
from dashboards.grafana.ingest import ingest

BOARDS: Final[Mapping[Board, Callable[[Edition], Dashboard]]] = MappingProxyType(
    {"fleet": fleet, "coverage": coverage, "alerts": alerts, "ingest": ingest}
)


def build(edition: Edition) -> dict[str, bytes]:
    """All dashboards of an edition: names of files and their contents, as Grafana reads them."""
    return {f"{board}.json": encoded(make(edition)) for board, make in BOARDS.items()}


def encoded(dashboard: Dashboard) -> bytes:
    """A dashboard as JSON that reads well in a diff."""
    return json.dumps(dashboard, cls=JSONEncoder, ensure_ascii=False, indent=1).encode() + b"\n"
