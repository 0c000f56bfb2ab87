"""What an event of a calendar means for patrols: no duty, a make-up working day, or nothing.

Calendars of whole countries hold all three. China moves weekends to make long holidays, and names
both sides of it, 国庆节（休） and 国庆节（班）; so do Russia and Hungary. Others list days that are
only observed (冬至, Valentine's Day) beside the holidays.

| an event is | when |
| --- | --- |
| `works` | Apple's tag or its name says that people work on it |
| `observed` | its publisher says that it is no day off, as Google does |
| `observed` | its publisher marks days off and working days, and not this day |
| `observed` | it takes less than a day, and is shown as free |
| `closed` | otherwise |

Whole days that are shown as free (TRANSP) may be days off: programs export all of them as free.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, tzinfo
from typing import Literal

from icalendar import Event

DayKind = Literal["closed", "works", "observed"]
"""What an event means; see the table above."""

_TAG = "X-APPLE-SPECIAL-DAY"
_TAGS: dict[str, DayKind] = {"ALTERNATE-WORKDAY": "works", "WORK-HOLIDAY": "closed"}
_MARK = re.compile(r"(?<!\w)([班休])(?!\w)|(?<=[节節日旦夕])([班休])$")
_IN_BRACKETS = re.compile(r"[(（\[【].*?(?:[)）\]】]|$)")
_SWAPPED = re.compile("[调調换換]休")
_WORDS: tuple[tuple[DayKind, tuple[str, ...]], ...] = (
    ("closed", ("放假", "停[工班课課]")),  # whatever else is said: 放假日（10-10 補班）
    (
        "works",
        (
            "[补補](?:班|课|課|周|週|星期)",
            "(?<![停不免止])上班",
            "(?<!非)工作日",
            "出勤日",
            r"(?<!non[ -])(?<!not a )(?<!no )\bwork(?:ing)?[ -]?(?:day|saturday|sunday)\b",
            r"(?<!не )\bрабоч(?:ий день|ая суббота)",
            r"\bсокращ[её]нный",
            r"(?<!не )\bробочий день",
            r"\bработен ден",
            r"\bmunkanap",
            r"\bdarba diena",
            r"\blàm bù",
        ),
    ),
    (
        "closed",
        (
            "休[息假]",
            "假[期日]",
            "[补補][休假]",
            "[封关關]闭",
            "holiday",
            r"\bclos(?:ed|ure)",
            r"\bday off",
            "non[ -]?working",
            "нерабоч",
            "выходн",
            "szünet",
            "pihenőnap",
        ),
    ),
)
"""The first row of which a name has a word says what kind of day it is."""
_SAID = tuple((kind, re.compile("|".join(words), re.IGNORECASE)) for kind, words in _WORDS)
_DAYS_OFF = re.compile(r"(?<!\w)休(?!\w)|假期")
_NOT_OFF = re.compile(r"observance\b|(?:.*\n)?.*not a public holiday|.*部分公民", re.IGNORECASE)
_GOOGLE_HIDES = re.compile(r"\n.*Google.*>")  # how to hide observances, in any language
_SHORT = 20  # characters of a description that says what kind of day it is, and no more


def kinds_of(events: Sequence[Event], tz: tzinfo) -> list[DayKind]:
    """What each event of one calendar means, in their order; `tz` is that of the district."""
    said = [_said(event) for event in events]
    off = [event for event in events if _DAYS_OFF.search(_text(event, "SUMMARY"))]
    marked = any(event.get(_TAG) == "WORK-HOLIDAY" for event in events) or (
        0 < said.count("works") <= len(off)
    )
    return [
        kind if kind == "works" else "observed" if _observed(event, kind, marked, tz) else "closed"
        for event, kind in zip(events, said, strict=True)
    ]


def whole_days(start: date, end: date, tz: tzinfo) -> bool:
    """Whether an event takes whole days: dates, or times from 00:00 to the last minute of a day."""
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return True
    start, end = (at.astimezone(tz) if at.tzinfo else at for at in (start, end))
    return start.time() == time() and end.time() in (time(), time(23, 59), time(23, 59, 59))


def _observed(event: Event, said: DayKind | None, marked: bool, tz: tzinfo) -> bool:
    description = _text(event, "DESCRIPTION")
    texts = (_text(event, "SUMMARY"), description, *map(str, event.categories))
    if _GOOGLE_HIDES.search(description) or any(map(_NOT_OFF.match, texts)):
        return True
    if whole_days(event.start, event.end, tz):
        return marked and said is None
    return _text(event, "TRANSP").upper() == "TRANSPARENT"


def _said(event: Event) -> DayKind | None:
    """What the tag, the name, or a word beside it says."""
    if tag := _TAGS.get(_text(event, _TAG)):
        return tag
    description = _text(event, "DESCRIPTION")
    short = len(description) <= _SHORT and not any(map(str.isdigit, description))  # no dates
    for text in (_text(event, "SUMMARY"), description if short else ""):
        if kind := _kind(text, event.start):
            return kind
    beside = {_kind(str(each), event.start) for each in event.categories}
    return "works" if "works" in beside else None  # all days are of the category holidays


def _kind(text: str, day: date) -> DayKind | None:
    """What a name says of its day; what stands outside brackets goes before what is inside."""
    if mark := _MARK.search(text):
        return "works" if "班" in mark[0] else "closed"
    outside, inside = _IN_BRACKETS.sub(" ", text), " ".join(_IN_BRACKETS.findall(text))
    for part in (outside, inside):
        for kind, words in _SAID:
            if words.search(part):
                return kind
    if _SWAPPED.search(text):  # a day of the weekend for a day of the week
        return "works" if day.weekday() >= 5 else "closed"
    return None


def _text(event: Event, name: str) -> str:
    return str(event.get(name, ""))
