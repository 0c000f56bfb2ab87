#!/usr/bin/env python
"""The container's health check: exit 0 when every part of the station does its work.

What Docker shows of an unhealthy container is the output of its last checks, so the parts that
are not ready are printed with their reasons.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 8.0


def main() -> int:
    """Ask /readyz, where the station listens."""
    listen = os.environ.get("PATROL_HTTP__LISTEN", "127.0.0.1:8080")
    secured = "PATROL_HTTP__CERTIFICATE" in os.environ
    # Its own certificate, on this machine: whom it is for and until when says `patrol check`.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # Docker gives its own proxy to every container, and this one is not behind it.
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        url = f"http{'s' if secured else ''}://{listen}/readyz"
        with direct.open(url, timeout=TIMEOUT_S):
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
