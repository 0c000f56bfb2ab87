"""The pages of the console, in one table: where each is, which key leads there, and for whom.

A page is the template ``page.html`` and a script that fills it from the API; where it needs a
style of its own, that stands beside the script. The API decides who may do what; a page that is
not for everybody is left out of the bar for the others, and says so to who types its address.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from dashboards.access.roles import Role


class Page(NamedTuple):
    """One page.

    Attributes
    ----------
    name : str
        Of its texts: ``page.NAME``.
    path : str
        Where it is; parameters in braces reach the script.
    script : str
        Its module, below the folder of the console's files.
    key : str
        The key that leads to it; empty for a page that is not in the bar.
    needs : Role
        Whom it is for.
    """

    name: str
    path: str
    script: str
    key: str = ""
    needs: Role = "viewer"


PAGES: Final = (
    Page("desk", "/", "map/desk.js", "1"),
    Page("alerts", "/alerts", "alerts/alerts.js", "2"),
    Page("alert", "/alerts/{alert_id}", "alerts/alert.js"),
    Page("zones", "/zones", "zones/zones.js", "3"),
    Page("zone", "/zones/{zone_id}", "zones/zone.js"),
    Page("bikes", "/bikes", "bikes/bikes.js", "4"),
    Page("bike", "/bikes/{vendor}/{bike_id}", "bikes/bike.js"),
    Page("draw", "/draw", "draw/draw.js", "5", "admin"),
    Page("people", "/people", "people/people.js", "6", "admin"),
)
