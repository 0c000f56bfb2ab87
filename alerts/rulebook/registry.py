"""One entry for each alert rule, and the registry that everything about rules is taken from.

Settings, the API, docs/alerts.md, notices, the console and Grafana take names, limits and words
from here, so that a new rule is one module and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from alerts.alert import Alert
from alerts.findings import Finding, Step
from alerts.fleet import Fleet, Limits
from geofence.windows import Window
from words.catalogue import Entries

Severity = Literal["info", "warning", "critical"]
Subject = Literal["zone", "bike", "vendor"]
Words = tuple[str, str]
"""A text in Chinese and in English."""


class Reason(NamedTuple):
    """The words of a named reason, and the sentence with its figures that a notice says."""

    words: Words
    sentence: Words | None = None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A key of the section ``[rules]``.

    Attributes
    ----------
    name : str
        As the program calls it, with its unit. A duration has its key without the ``_s``.
    default : float
        In that unit.
    meaning : str
        What docs/configuration.md says of it.
    bounds : mapping
        ``ge``, ``gt``, ``le``, ``lt``, as pydantic has them.
    """

    name: str
    default: float
    meaning: str
    bounds: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_duration(self) -> bool:
        """Whether it is written "1h30m" and kept in seconds."""
        return self.name.endswith("_s")

    @property
    def key(self) -> str:
        """The key in patrol.toml."""
        return self.name.removesuffix("_s")


class Found(NamedTuple):
    """What a rule found about one of its alerts, or about one that there may be.

    Attributes
    ----------
    finding : Finding or tuple of Step
        About the condition; or what happens to the alert, where the rule knows that itself.
    alert : Alert, optional
        The open one that it is about.
    window : Window, optional
        The window of a new one.
    auto_close : bool, optional
        Whether it closes by itself once it has returned; None: as the policy says.
    """

    finding: Finding | tuple[Step, ...]
    alert: Alert | None = None
    window: Window | None = None
    auto_close: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert rule.

    Attributes
    ----------
    name : str
        In alerts, settings, topics and the API; never changes.
    subject : {"zone", "bike", "vendor"}
        What there is at most one open alert for.
    per : str
        What of the subject an alert is about, such as a window; empty: all of it.
    severity : {"info", "warning", "critical"}
        How bad a breach is.
    delay_s : float
        How long the condition must hold before anybody is told [s].
    title : Words
        What the rule is called.
    raised, over : Words
        When an alert is raised, and when it is over.
    inhibited_by : tuple of str
        States and reasons of the subject during which a condition that holds is unknown; rules
        whose open alert keeps one from being raised.
    settings : tuple of Setting
        Its limits.
    reasons : mapping of str to Reason
        Words of the reasons that only this rule names; others stand in the package ``words``.
    evaluate : callable
        From the case of a subject (:mod:`alerts.rulebook.cases`) to findings. Pure.
    suspects : callable, optional
        ``(fleet, limits, now_ms)`` to the bikes that may be beyond a limit; None: all.
    """

    name: str
    subject: Subject
    per: str = ""
    severity: Severity
    delay_s: float
    title: Words
    raised: Words
    over: Words
    inhibited_by: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    evaluate: Callable[[Any], Iterable[Found]]
    suspects: Callable[[Fleet, Limits, int], Collection[str]] | None = None


class Registry(Mapping[str, Rule]):
    """Rules by name, in the order in which they are listed to people."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = {rule.name: rule for rule in rules}

    def __getitem__(self, name: str) -> Rule:
        return self._rules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def about(self, subject: Subject) -> list[Rule]:
        """The rules about a kind of subject."""
        return [rule for rule in self.values() if rule.subject == subject]

    @property
    def settings(self) -> list[Setting]:
        """The limits of all rules."""
        return [setting for rule in self.values() for setting in rule.settings]

    @property
    def defaults(self) -> dict[str, float]:
        """The limits that hold where nothing else is configured, by name."""
        return {setting.name: setting.default for setting in self.settings}

    def words(self) -> Entries:
        """Names and reasons, with the keys of the contract's catalogue."""
        found = {f"rule.{rule.name}": rule.title for rule in self.values()}
        reasons = [item for rule in self.values() for item in rule.reasons.items()]
        return found | {f"reason.{name}": reason.words for name, reason in reasons}

    def hints(self) -> Entries:
        """When each rule is raised, without the marks of the documentation."""
        return {
            f"rule_hint.{rule.name}": (rule.raised[0], rule.raised[1].replace("`", ""))
            for rule in self.values()
        }

    def sentences(self) -> Entries:
        """The sentences of notices, by reason."""
        return {
            f"reason.{name}": reason.sentence
            for rule in self.values()
            for name, reason in rule.reasons.items()
            if reason.sentence is not None
        }
