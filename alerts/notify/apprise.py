"""Alerts to any service that Apprise knows, and to plain webhooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from alerts.alert import Alert, Notice
from alerts.bulletin import Bulletin, Case
from alerts.errors import NotificationFailed, PolicyError, Problem
from alerts.notify import Filter
from alerts.notify.wording import Text, Wording, bulletin_text
from alerts.periods import Kind
from files.secret import Secret

PEOPLE_WANT = frozenset({"activate", "reopen", "return", "unshelve", "close", "void"})
"""Events that people are told of; acts of people are not news to them."""
THREADS = 2
"""The most notifications that are under way to one service at once."""


class AppriseNotifier:
    """Sends a title and a body in Chinese or English.

    The URL is one of Apprise, or ``http(s)://``: a webhook that is sent JSON with ``title``,
    ``message`` and ``type``. It may hold secrets, and Apprise writes parts of it to its log.
    """

    def __init__(
        self,
        name: str,
        url: Secret,
        wording: Wording,
        wanted: Filter | None = None,  # events are those people want unless it says
        *,
        # Told only of what nobody has acknowledged for so long, and of what becomes of it [s of
        # duty]; None: of everything at once.
        escalate_after_s: float | None = None,
        bulletins: Collection[Kind] = (),
        bulletins_at_min: int = 510,  # of the local day
    ) -> None:
        self.name = name
        self.escalate_after_s = escalate_after_s
        self.bulletins = tuple(bulletins)
        self.bulletins_at_min = bulletins_at_min
        self._url = url
        self._wording = wording
        self._filter = wanted or Filter()
        # Not the event loop's threads: a service that does not answer would fill them.
        self._threads = ThreadPoolExecutor(THREADS, f"notify-{name}")

    def wants(self, notice: Notice) -> bool:
        """Whether a notice passes the filter and is news to people."""
        row = notice.transition
        if row.event == "escalate":
            return row.evidence.get("recipient") == self.name
        if self.escalate_after_s is not None and self.name not in notice.alert.escalated_to:
            return False
        events = self._filter.events
        news = events is not None or row.news in PEOPLE_WANT
        return news and self._filter.passes(notice)

    def concerns(self, alert: Alert | Case) -> bool:
        """Whether they want notices of such alerts."""
        return self._filter.concerns(alert)

    def check(self) -> None:
        """Whether Apprise understands the URL; loads Apprise, sends nothing.

        PolicyError: it does not; the problem names the key and not the URL.
        """
        if not len(self._service):
            raise PolicyError([Problem(f"notify.{self.name}.url", "no service has such a URL")])

    async def send(self, *notices: Notice, count: int = 1) -> None:
        """Send one message, in a thread; NotificationFailed when the service did not take it."""
        await self._in_thread(self._wording.of(*notices, count=count))

    async def send_bulletin(self, bulletin: Bulletin) -> None:
        """Send a bulletin, in a thread; NotificationFailed when the service did not take it."""
        await self._in_thread(bulletin_text(bulletin, self._wording))

    async def send_test(self, now_ms: int) -> None:
        """Send a test now [ms], past the outbox; NotificationFailed says why it did not arrive."""
        say, at = self._wording.say, self._wording.time(now_ms)
        body = say["test.body"].format(name=self.name, at=at)
        await self._in_thread(Text(say["test.title"], body, "info"))

    async def _in_thread(self, text: Text) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, text)

    def _send(self, text: Text) -> None:
        if not len(self._service):
            raise NotificationFailed(f"notify.{self.name}.url: no service has such a URL")
        if not self._service.notify(title=text.title, body=text.body, notify_type=text.kind):
            raise NotificationFailed(f"notify.{self.name}: the service did not take it")

    @cached_property
    def _service(self) -> Any:
        from apprise import Apprise  # heavy: loaded when the first notification leaves

        # Said of every plain webhook, and where it is a mistake `check` says so.
        log = logging.getLogger("apprise")
        log.addFilter(
            lambda row: not row.getMessage().startswith(("Unparseable URL", "Unsupported"))
        )
        service, url = Apprise(), self._url.get_secret_value()
        if not service.add(url):
            service.add(webhook_url(url))
        return service


def webhook_url(url: str) -> str:
    """The Apprise URL that posts JSON to an ``http(s)://`` address; others unchanged."""
    parts = urlsplit(url)
    scheme = {"http": "json", "https": "jsons"}.get(parts.scheme)
    if scheme is None:
        return url
    # Apprise takes plain keys of the query for its own; those of the service have a dash.
    query = [(f"-{key}", value) for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    return urlunsplit((scheme, parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))
