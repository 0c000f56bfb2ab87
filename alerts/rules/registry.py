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
    """A key of the section ``[rules]``.

    Attributes
    ----------
    name : str
        As the program calls it, with its unit. A duration has its key without the ``_s``.
    default : float
        In that unit.
    bounds : mapping
        ``ge``, ``gt``, ``le``, ``lt``, as pydantic has them.
    """

    name: str
    default: float
    bounds: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_duration(self) -> bool:
        """Whether the value is written "1h30m" and kept in seconds."""
        return self.name.endswith("_s")

    @property
    def key(self) -> str:
        """The key in patrol.toml."""
        return self.name.removesuffix("_s")


class Found(NamedTuple):
    """The finding of a rule about one of its alerts, or about a possible one.

    Attributes
    ----------
    finding : Finding or tuple of Step
        About the condition; or the steps of the alert, where the rule knows them itself.
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
        Each has at most one open alert of the rule; where `evaluate` finds about windows, one for
        each window.
    severity : {"info", "warning", "critical"}
        How bad a breach is.
    delay_s : float
        How long the condition must hold before anybody is told [s].
    words : Entries
        Those of the file beside its module, unless they are given: ``title``; ``raised`` and
        ``over``: when an alert is; ``reason.x`` and ``sentence.x``: the words of a reason that
        only this rule names, and the sentence of a notice with its figures. The words of other
        reasons stand in the package ``words``.
    inhibited_by : tuple of str
        States and reasons of the subject during which a condition that holds is unknown; rules
        whose open alert keeps one from being raised.
    settings : tuple of Setting
        Its limits.
    evaluate : callable
        From a case (:mod:`alerts.rules.cases`) to a finding about all of the subject, or to what
        it found about each window. Pure.
    suspects : callable, optional
        ``(fleet, limits, now_ms)`` to the bikes that may be beyond a limit; None: all.
    """

    name: str
    subject: Subject
    severity: Severity
    delay_s: float
    words: Entries = field(default_factory=dict)
    inhibited_by: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    evaluate: Callable[[Any], Finding | Iterable[Found]]
    suspects: Callable[[Fleet, Limits, int], Collection[str]] | None = None

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
