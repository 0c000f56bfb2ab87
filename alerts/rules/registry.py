"""One entry for each alert rule, and the registry that everything about rules is taken from.

Settings, the API, docs/alerts.md, notices, the console and Grafana take names, limits and words
from here, so that a new rule is one module with its words, and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal, NamedTuple, get_args

from alerts.alert import Alert
from alerts.findings import Finding, Step
from alerts.fleet import Fleet, Limits
from geofence.windows import Window
from words.catalogue import Entries, read

Severity = Literal["info", "warning", "critical"]
Subject = Literal["zone", "bike", "vendor"]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)


@dataclass(frozen=True)
class Setting:
    """A key of the section ``[rules]``."""

    name: str  # as the program calls it, with its unit
    default: float  # in that unit
    bounds: Mapping[str, float] = field(default_factory=dict)  # ``ge``, ``gt``, ``le``, ``lt``

    @property
    def is_duration(self) -> bool:
        """Whether the value is written "1h30m" and kept in seconds."""
        return self.name.endswith("_s")

    @property
    def key(self) -> str:
        """The key in patrol.toml."""
        return self.name.removesuffix("_s")


class Found(NamedTuple):
    """The finding of a rule about one of its alerts, or about a possible one."""

    finding: Finding | tuple[Step, ...]  # the steps, where the rule knows them itself
    alert: Alert | None = None  # the open one that it is about
    window: Window | None = None  # of a new one
    auto_close: bool | None = None  # once it has returned; None: as the policy says


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An alert rule."""

    name: str  # in alerts, settings, topics and the API; never changes
    subject: Subject
    """Has at most one open alert of the rule, or one for each window where the rule has windows."""
    severity: Severity
    delay_s: float  # how long the condition must hold before anybody is told
    words: Entries = field(default_factory=dict)
    """Those of the file beside its module, unless they are given.

    ``title``; ``raised`` and ``over``: when an alert is; ``reason.x`` and ``sentence.x``: the words
    of a reason that only this rule names, and the sentence of a notice with its figures. The words
    of other reasons stand in the package ``words``.
    """
    inhibited_by: tuple[str, ...] = ()
    """States and reasons of the subject during which a condition that holds is unknown; rules
    whose open alert keeps one from being raised."""
    settings: tuple[Setting, ...] = ()
    evaluate: Callable[[Any], Finding | Iterable[Found]]
    """From a case (:mod:`alerts.rules.cases`) to a finding about all of the subject, or to what it
    found about each window. Pure."""
    suspects: Callable[[Fleet, Limits, int], Collection[str]] | None = None
    """``(fleet, limits, now_ms)`` to the bikes that may be beyond a limit; None: all."""

    def __post_init__(self) -> None:
        if not self.words:
            words = read(files("alerts.rules") / f"{self.name}.toml")
            object.__setattr__(self, "words", words)


class Registry(dict[str, Rule]):
    """Rules by name, in the order in which they are evaluated and listed to people."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        super().__init__({rule.name: rule for rule in rules})

    def about(self, subject: Subject) -> list[Rule]:
        """The rules about a kind of subject."""
        return [rule for rule in self.values() if rule.subject == subject]

    @property
    def settings(self) -> list[Setting]:
        """The limits of all rules."""
        return [setting for rule in self.values() for setting in rule.settings]

    @property
    def defaults(self) -> dict[str, float]:
        """The default of each limit, by name."""
        return {setting.name: setting.default for setting in self.settings}

    def words(self) -> Entries:
        """Names and reasons, with the keys of the contract's catalogue."""
        found = self._texts("reason.")
        for rule in self.values():
            found[f"rule.{rule.name}"] = rule.words["title"]
        return found

    def hints(self) -> Entries:
        """When each rule is raised, by ``rule_hint.`` and rule."""
        raised = {rule.name: rule.words["raised"] for rule in self.values()}
        return {f"rule_hint.{name}": (zh, en.replace("`", "")) for name, (zh, en) in raised.items()}

    def sentences(self) -> Entries:
        """The sentences of notices, by ``sentence.`` and reason."""
        return self._texts("sentence.")

    def _texts(self, kind: str) -> dict[str, tuple[str, str]]:
        found = (item for rule in self.values() for item in rule.words.items())
        return {key: text for key, text in found if key.startswith(kind)}
