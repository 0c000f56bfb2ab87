"""The dashboards as files: their names, and the bytes that are committed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.grafana.alerts import ALERTS
from dashboards.grafana.board import Board, Name
from dashboards.grafana.coverage import COVERAGE
from dashboards.grafana.edition import Edition
from dashboards.grafana.fleet import FLEET
from dashboards.grafana.ingest import INGEST

BOARDS: Final[Mapping[Name, Board]] = {
    board.name: board for board in (FLEET, COVERAGE, ALERTS, INGEST)
}


def build(edition: Edition) -> dict[str, bytes]:
    """All dashboards of an edition, as Grafana reads them: each file's name and its bytes."""
    return {
        f"{name}.json": json.dumps(
            board.dashboard(edition), cls=JSONEncoder, ensure_ascii=False, indent=1
        ).encode()
        + b"\n"
        for name, board in BOARDS.items()
    }
