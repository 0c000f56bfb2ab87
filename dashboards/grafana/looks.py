"""Colours, words for values, and thresholds.

A state has the colour and the sign of the console, so that nobody learns it twice; signs are
for eyes that cannot tell colours. Other colours are of Okabe and Ito's palette, which is made
for them (Color Universal Design, 2008), and two more; all can be told from Grafana's light and
its dark background.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from bikes.errors import REJECT_REASONS
from geofence.quality import VERDICTS
from geofence.zone_state import STATE_CODES, ZoneState

STATE_COLOURS: Final[Mapping[ZoneState, str]] = {
    "compliant": "#00836f",
    "due": "#ad5700",
    "overdue": "#cc3311",
    "short": "#746400",
    "unmeasurable": "#8e3b8e",
    "off_duty": "#667482",
    "paused": "#667482",
}
STATE_SIGNS: Final[Mapping[ZoneState, str]] = {
    "compliant": "✓",
    "due": "◔",
    "overdue": "!",
    "short": "↓",
    "unmeasurable": "?",
    "off_duty": "–",
    "paused": "Ⅱ",
}
ALERT_COLOURS: Final[Mapping[str, str]] = {
    "active": STATE_COLOURS["overdue"],
    "acknowledged": STATE_COLOURS["due"],
    "returned": STATE_COLOURS["compliant"],
    "shelved": STATE_COLOURS["off_duty"],
    "closed": "#0072b2",
    "voided": STATE_COLOURS["off_duty"],
}

GOOD, WARN, BAD = STATE_COLOURS["compliant"], STATE_COLOURS["due"], STATE_COLOURS["overdue"]
NEUTRAL: Final = "#667482"
BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PURPLE, YELLOW = "#56b4e9", "#cc79a7", "#f0e442"
BROWN, WINE, INDIGO = "#a6761d", "#882255", "#332288"
PALETTE: Final = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW, NEUTRAL)
VERDICT_COLOURS: Final[Mapping[str, str]] = dict(
    zip(VERDICTS, (GREEN, BROWN, YELLOW, VERMILION, ORANGE, SKY, BLUE, PURPLE), strict=True)
)
REASON_COLOURS: Final[Mapping[str, str]] = dict(
    zip(REJECT_REASONS, (*PALETTE, BROWN, WINE, INDIGO), strict=True)
)
SEVERITY_COLOURS: Final[Mapping[str, str]] = {"critical": BAD, "warning": WARN, "info": BLUE}


def steps(base: str, *above: tuple[float, str]) -> build.ThresholdsConfig:
    """Thresholds: the colour of small values, then from which value on which other."""
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps(
            [
                model.Threshold(value=None, color=base),
                *(model.Threshold(value=value, color=colour) for value, colour in above),
            ]
        )
    )


def fixed(colour: str) -> build.FieldColor:
    """One colour, whatever the value."""
    return build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(colour)


def by_value() -> build.FieldColor:
    """The colour that the thresholds or the mapping give the value."""
    return build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def named(values: Iterable[tuple[str, str, str | None]]) -> model.ValueMap:
    """Words for values: (value, word, colour or None)."""
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, text, colour) in enumerate(values)
        }
    )


def unknown(text: str) -> model.SpecialValueMap:
    """A word for what has no value."""
    return model.SpecialValueMap(
        options=model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.NULL_AND_NAN,
            result=model.ValueMappingResult(text=text, color=NEUTRAL, index=99),
        )
    )


def without(text: str) -> model.SpecialValueMap:
    """A word for an empty text: a tag that is not there."""
    return model.SpecialValueMap(
        options=model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.EMPTY,
            result=model.ValueMappingResult(text=text, index=99),
        )
    )


def zone_states(texts: Mapping[str, str]) -> model.ValueMap:
    """Words, signs and colours for `state_code`."""
    return named(
        (str(code), f"{STATE_SIGNS[state]} {texts[f'state.{state}']}", STATE_COLOURS[state])
        for state, code in STATE_CODES.items()
    )


def words_for(
    texts: Mapping[str, str], kind: str, values: Iterable[str] | Mapping[str, str]
) -> model.ValueMap:
    """Words of the contract for its values of a kind, and their colours where they have any."""
    colours = values if isinstance(values, Mapping) else {}
    return named((value, texts[f"{kind}.{value}"], colours.get(value)) for value in values)
