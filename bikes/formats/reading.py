"""Formats and the reading of JSON, so that whoever wrote a payload learns what is wrong with it.

A format has a quick way and a careful way to read the same payloads.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, get_args

import msgspec
from msgspec.structs import FieldInfo, fields

from bikes.errors import DecodeError, RejectReason
from bikes.formats.lookalikes import no_json
from bikes.telemetry import UNUSABLE, Telemetry

T = TypeVar("T")

QUICK_ERRORS = (ValueError, RecursionError)
"""Errors of `Format.quick`; msgspec's and Unicode's errors are ValueErrors."""

Item = Telemetry | DecodeError
"""One item of a payload: accepted, or why not."""

_AT = re.compile(r" - at `(?P<path>[^`]*)`$")
_INDEX = re.compile(r"^\$\[\d+\]")
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$")
_EXPECTED = re.compile(r"^Expected `(?P<want>.*)`, got `(?P<got>.*)`$")
FIRST_NAMES = 8
"""Names of an object that are told when one is missing."""

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_ENVELOPE = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write telemetry.

    Both functions are pure and give the same items; they differ in what they do with a bad
    payload. A caller tries `quick` and asks `decode` only about what `quick` raised on.
    """

    name: str  # as configured
    # One item, or a list of items, which may be empty. Raises any of `QUICK_ERRORS` when something,
    # anything, is wrong, and does not say what.
    quick: Callable[[bytes], Telemetry | Sequence[Item]]
    # `decode(payload, max_items)`: one item, or a list in which every item has the position it has
    # in the payload and a bad one is a `bikes.errors.DecodeError` with its `index`. A payload that
    # carries no telemetry is an empty list. Raises DecodeError when the payload as a whole cannot
    # be accepted (`not_json`, `schema`, `out_of_range`, `too_many`), and nothing else.
    decode: Callable[[bytes, int], Telemetry | Sequence[Item]]
    in_seconds: bool = False  # what its timestamps are counted in, else milliseconds
    # A payload that says what is required of a fix and nothing else, as an example to send. The
    # fix names its bike. None: there is no way to write it.
    encode: Callable[[Telemetry], bytes] | None = None


def read_each(
    quick: Callable[[bytes], T], payloads: Sequence[bytes]
) -> tuple[list[T | None], list[int]]:
    """Read payloads with a function that raises :data:`QUICK_ERRORS`, at the speed of `map`.

    Return what each payload holds, None where `quick` raised, and the positions of those.
    """
    found: list[T | None] = []
    failed: list[int] = []
    rest = iter(payloads)
    while len(found) < len(payloads):
        try:
            # Items before an error stay in `found`, and `rest` is past the bad one.
            found.extend(map(quick, rest))
        except QUICK_ERRORS:
            failed.append(len(found))
            found.append(None)
    return found, failed


class Reader(Generic[T]):
    """Reads objects of one type, alone or in an array, each item by itself."""

    def __init__(
        self,
        type_: type[T],  # the msgspec Struct of an item
        # What a field wants to be, by its path; told to whoever got it wrong.
        hints: Mapping[str, str] | None = None,
        *,
        strict: bool = True,  # false reads a number that is written as text, too
        # The key of an array of items in an object that holds nothing else of use.
        envelope: str | None = None,
    ) -> None:
        self._type, self._strict = type_, strict
        self._hints = hints or {}
        self._envelope = envelope
        self._one = msgspec.json.Decoder(type_, strict=strict)
        self.quick: Callable[[bytes], T | list[T]] = msgspec.json.Decoder(
            type_ | list[type_],  # type: ignore[valid-type]
            strict=strict,
        ).decode
        """One object or all of an array; raises `QUICK_ERRORS` when any of it is bad."""

    def decode(self, payload: bytes, max_items: int) -> T | list[T | DecodeError]:
        """One object, or the items of an array with an error in the place of each bad one.

        DecodeError: nothing of the payload can be read: ``not_json``, ``schema``, ``out_of_range``,
        or ``too_many`` when an array has more than `max_items`.
        """
        items = self.items(payload)
        if items is None:
            return self.one(payload)
        if len(items) > max_items:
            raise too_many(len(items), max_items)
        return self.each(items)

    def items(self, payload: bytes) -> list[msgspec.Raw] | None:
        """The items of an array, unread; None when it is none. Raises DecodeError."""
        payload = without_nan(payload)
        if payload.lstrip(b" \t\r\n").startswith(b"["):
            try:
                return _ITEMS.decode(payload)
            except (ValueError, RecursionError) as exc:
                raise explain(exc, payload) from exc
        with suppress(ValueError, RecursionError):
            found = _ENVELOPE.decode(payload) if self._envelope else {}
            return _ITEMS.decode(found[self._envelope]) if self._envelope in found else None
        return None

    def each(self, items: Sequence[msgspec.Raw]) -> list[T | DecodeError]:
        """Items one by one, with an error in the place of each bad one."""
        found: list[T | DecodeError] = []
        for index, item in enumerate(items):
            try:
                found.append(self.one(item, index))
            except DecodeError as exc:
                found.append(exc)
        return found

    def one(self, payload: bytes | msgspec.Raw, index: int | None = None) -> T:
        """One object. Raises DecodeError with `index` when it cannot be read.

        An optional number that cannot be used is :data:`UNUSABLE`, and refuses nothing.
        """
        try:
            return self._one.decode(payload)
        except (ValueError, RecursionError) as exc:
            wrong: Exception = exc
        text, is_json = bytes(payload), isinstance(wrong, msgspec.ValidationError)
        if is_json or _has_nan(text):
            try:
                return self._one.decode(self._mended(text))
            except (ValueError, RecursionError) as exc:
                # What is no JSON is told so, whatever else is wrong with it.
                wrong = exc if is_json else wrong
        raise self._explain(wrong, text, index) from wrong

    def _mended(self, payload: bytes) -> bytes:
        """The object with optional values that can be used, and whole floats as integers."""
        text = payload.decode()
        with suppress(ValueError, RecursionError, OverflowError):
            said = json.loads(text, parse_constant=str)
            if isinstance(said, dict):
                return msgspec.json.encode(_usable(said, self._type, strict=self._strict))
        return payload

    def _explain(self, exc: Exception, payload: bytes, index: int | None) -> DecodeError:
        error = explain(exc, payload, index)
        path, _, what = error.detail.partition(": ")
        if error.reason != "schema" or not path:
            return error
        detail = error.detail
        if path in self._hints:
            detail += f"; {self._hints[path]} is wanted"
        if what == "required, but missing":
            detail += f"; there is {_names_beside(path, payload)}"
        return DecodeError(error.reason, detail, index)


def _names_beside(path: str, payload: bytes) -> str:
    """The names in the object in which one is missing."""
    found: Any = None
    with suppress(ValueError, RecursionError, OverflowError, KeyError, TypeError):
        found = json.loads(payload)
        for name in path.split(".")[:-1]:
            found = found[name]
    names = [str(name)[:32] for name in found] if isinstance(found, dict) else []
    return ", ".join(names[:FIRST_NAMES]) or "nothing"


@cache
def _fields(type_: type) -> list[tuple[FieldInfo, tuple[Any, ...]]]:
    """The fields of an object, and the types that each may have."""
    return [(field, get_args(field.type) or (field.type,)) for field in fields(type_)]


def _usable(said: Any, type_: Any, *, strict: bool) -> Any:
    """What can be used of an object or array; what names something, a text, is never left out."""
    is_array = isinstance(said, list)
    if is_array != type_.__struct_config__.array_like:
        return said
    for place, (field, kinds) in enumerate(_fields(type_)):
        name = place if is_array else field.encode_name
        value = (said[place : place + 1] or [None])[0] if is_array else said.get(name)
        if value is None or Any in kinds:
            continue
        if isinstance(value, dict | list) and isinstance(kinds[0], msgspec.StructMeta):
            value = _usable(value, kinds[0], strict=strict)
        elif isinstance(value, float):
            if field.required and value in (math.inf, -math.inf):
                raise ValueError("not a finite number")
            value = min(max(value, UNUSABLE), -UNUSABLE)
            value = int(value) if value.is_integer() and abs(value) < 1 << 53 else value
        said[name] = value
        fits = type(value) in kinds or (type(value) is int and float in kinds)
        if not (field.required or fits or str in kinds):
            try:
                msgspec.convert(value, field.type, strict=strict)
            except ValueError:
                said[name] = UNUSABLE if float in kinds else None
    return said


def _has_nan(payload: bytes) -> bool:
    return b"NaN" in payload or b"Infinity" in payload


def without_nan(payload: bytes) -> bytes:
    """JSON in which NaN and Infinity, which it does not have, are texts."""
    if _has_nan(payload):
        with suppress(ValueError, RecursionError, OverflowError):
            return msgspec.json.encode(json.loads(payload.decode(), parse_constant=str))
    return payload


def too_many(items: int, max_items: int) -> DecodeError:
    """The error of an array that is too long."""
    detail = f"the array has {items} items; at most {max_items} are accepted"
    return DecodeError("too_many", detail)


def explain(exc: Exception, payload: bytes, index: int | None = None) -> DecodeError:
    """A decoder's error in the words of the payload."""
    if isinstance(exc, RecursionError):
        return DecodeError("schema", "nested too deeply", index)
    if isinstance(exc, UnicodeDecodeError):
        return DecodeError("not_json", f"not UTF-8: {exc.reason}; send or save it as UTF-8", index)
    if isinstance(exc, msgspec.ValidationError):
        if payload[:1] not in b"{[" and (what := no_json(payload)):
            return DecodeError("not_json", what, index)
        return _explain_validation(str(exc), index)
    return DecodeError("not_json", _explain_malformed(str(exc), payload), index)


def _explain_malformed(message: str, payload: bytes) -> str:
    if what := no_json(payload):
        return what
    if "trailing characters" in message:
        if payload.endswith(b"\0"):
            return f"{message}; send it without the NUL at its end"
        as_in = ", as NDJSON has them" if b"}\n{" in payload.replace(b"\r", b"") else ""
        return f"{message}{as_in}; send one object, or an array of them"
    if _has_nan(payload):
        return f"{message}; JSON has no NaN or Infinity, leave the field out or send null"
    return message


def _explain_validation(message: str, index: int | None) -> DecodeError:
    at = _AT.search(message)
    what = message[: at.start()] if at else message
    # `$.location.lat` -> `location.lat`; the index of an item is told apart from its path.
    path = _INDEX.sub("$", at["path"]).removeprefix("$").removeprefix(".") if at else ""
    if missing := _MISSING.match(what):
        path = f"{path}.{missing['field']}" if path else missing["field"]
        return DecodeError("schema", f"{path}: required, but missing", index)
    if expected := _EXPECTED.match(what):
        want = expected["want"].removesuffix(" | null")
        what = f"expected {want}, got {expected['got']}"
    else:
        what = what[:1].lower() + what[1:].replace("`", "")
    reason: RejectReason = "out_of_range" if what.endswith("out of range") else "schema"
    return DecodeError(reason, f"{path}: {what}" if path else what, index)
