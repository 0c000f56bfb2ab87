"""Secrets, and the words of strangers, before people read them.

A secret travels as :class:`Secret` from the configuration to the last who needs its value.
Libraries are given the value and servers are sent it: what they say, and what bikes send, passes
:func:`harmless` before it is logged, printed or answered.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus, unquote
from weakref import WeakValueDictionary

from pydantic import SecretStr

SHORTEST = 6
"""Characters of what is hidden wherever it stands; a shorter secret would be part of words."""

_known: WeakValueDictionary[int, Secret] = WeakValueDictionary()

_URL = re.compile(r"[^:/]+://(?:([^/?#]*)@)?(?:[^/?#:]*\.[^/?#:]*)?(.*)", re.DOTALL)
_PLAIN = re.compile(r"[a-z_-]{0,12}|\d{1,5}|(?:\d+\.){3}\d+")
"""Short words, ports and addresses, which are no secret in a URL unless they are a password."""


class Secret(SecretStr):
    """A text whose repr and str are empty; :func:`harmless` knows it for as long as it lives.

    Of a URL it knows what may be secret too: all but scheme, host and short words.
    """

    def __init__(self, secret_value: str) -> None:
        super().__init__(secret_value)
        texts = {secret_value}
        if url := _URL.fullmatch(secret_value):
            user, rest = url[1] or "", url[2]
            parts = re.split(r"[/?&=#@:,;]+", f"{user}/{rest}") + re.findall(r"=([^&#]*)", rest)
            texts |= {part for part in parts if not _PLAIN.fullmatch(part)}
            texts.add(user.partition(":")[2])
        texts |= {unquote(text) for text in texts}
        spell = (str, quote, quote_plus, lambda text: quote(text, safe=""), json.dumps, repr)
        spelt = {each(text).strip("\"'") for each in spell for text in texts}
        self.spellings = [text for text in spelt if len(text) >= SHORTEST]
        _known[id(self)] = self

    def __repr__(self) -> str:
        return ""

    def _display(self) -> str:
        return ""


def harmless(text: str, indent: str = "    ") -> str:
    r"""A text without known secrets, and with what drives a terminal written as ``\x1b``.

    Its lines after the first are indented, so that none passes for one of ours.
    """
    secrets = [secret for ref in _known.valuerefs() if (secret := ref())]
    if known := sorted((x for secret in secrets for x in secret.spellings), key=len, reverse=True):
        text = re.sub("|".join(map(re.escape, known)), "***", text, flags=re.IGNORECASE)
    marks = (
        mark if mark.isprintable() or mark in "\n\t" else repr(mark)[1:-1]
        for mark in text.replace("\r\n", "\n")
    )
    return "".join(marks).replace("\n", f"\n{indent}")
