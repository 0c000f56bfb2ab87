"""The bulletin about any day, week or month, read from the alert book."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from alerts.bulletin import Bulletin, Tally
from alerts.desk import BulletinDesk
from alerts.notify.wording import Wording, ZoneNames, bulletin_text
from alerts.orders import Orders
from alerts.periods import Kind, period_of
from alerts.store.book import AlertBook
from patrol.assembly import District
from patrol.errors import ConfigError, Problem
from words.catalogue import Language


def report(district: District, kind: Kind, day: date, now_ms: int) -> Bulletin:
    """The bulletin about the day, week or month in which `day` lies; everybody's alerts.

    It holds no coverage: only the bulletin that the station sends does. Raises ConfigError when
    there is no alert book where the configuration says, or BookUnavailable or BookUnreadable.
    """
    settings = district.settings
    path = settings.storage.path / "alerts.sqlite"
    if not path.exists():
        message = "there is no alert book yet; patrol run makes one in [storage] path"
        raise ConfigError([Problem(str(path), message)])
    tz = settings.district.tz
    book = AlertBook(path)
    try:
        Orders(book.file, district.policies, tz)  # what people have paused is paused here too
        desk = BulletinDesk(book, district.policies, None, (), tz)
        return desk.compile(period_of(kind, day, tz), now_ms)
    finally:
        book.close_file()


def report_text(district: District, bulletin: Bulletin, language: Language, now_ms: int) -> str:
    """A bulletin for people to read, with the names that zones have now."""
    names = ZoneNames(district.atlas, language, lambda: now_ms)
    text = bulletin_text(bulletin, Wording(language, district.settings.district.tz, names))
    return f"{text.title}\n{text.body}"


def report_json(bulletin: Bulletin) -> bytes:
    """A bulletin for programs: its fields, and the closing rate beside each tally."""

    def rated(tally: Tally) -> dict[str, Any]:
        return {**msgspec.to_builtins(tally), "rate": tally.rate}

    fields: dict[str, Any] = msgspec.to_builtins(bulletin)
    fields["total"] = rated(bulletin.total)
    for name in ("by_zone", "by_rule"):
        fields[name] = {key: rated(tally) for key, tally in getattr(bulletin, name).items()}
    return msgspec.json.encode(fields)
