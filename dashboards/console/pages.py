"""The pages of the console, in one table: where each is, which key leads there, and for whom.

A page is the frame of :mod:`dashboards.console.frame` and a script, ``static/NAME.js``, that
fills it from the API; where it needs a style of its own, that is ``static/NAME.css``. The API
decides who may do what; a page that is not for everybody is left out of the bar for the others,
and says so to who types its address.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from dashboards.access.roles import Role


class Page(NamedTuple):
    """One page.

    Attributes
    ----------
    name : str
        Of its script, and of its texts: ``page.NAME``.
    path : str
        Where it is; parameters in braces reach the script.
    key : str
        The key that leads to it; empty for a page that is not in the bar.
    needs : Role
        Whom it is for.
    """

    name: str
    path: str
    key: str = ""
    needs: Role = "viewer"


PAGES: Final = (
    Page("desk", "/", "1"),
    Page("alerts", "/alerts", "2"),
    Page("alert", "/alerts/{alert_id}"),
    Page("zones", "/zones", "3"),
    Page("zone", "/zones/{zone_id}"),
    Page("bikes", "/bikes", "4"),
    Page("bike", "/bikes/{vendor}/{bike_id}"),
    Page("draw", "/draw", "5", "admin"),
    Page("people", "/people", "6", "admin"),
)
