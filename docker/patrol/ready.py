#!/usr/bin/env python
"""The container's health check: exit 0 when every part of the station does its work.

What Docker shows of an unhealthy container is the output of its last checks, so the parts that
are not ready are printed with their reasons.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 8.0


def main() -> int:
    """Ask /readyz, where the station listens."""
    listen = os.environ.get("PATROL_HTTP__LISTEN", "127.0.0.1:8080")
    # Docker gives its own proxy to every container, and this one is not behind it.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{listen}/readyz", timeout=TIMEOUT_S):
            return 0
    except urllib.error.HTTPError as error:
        try:
            parts = json.load(error)["parts"]
            print(*(f"{p['name']}: {p['reason']}" for p in parts if not p["ok"]), sep="\n")  # noqa: T201
        except (ValueError, KeyError, TypeError):
            print(f"what answers at {listen} is not the station: {error}")  # noqa: T201
    except OSError as error:
        print(f"nobody answers at {listen}: {error}")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
