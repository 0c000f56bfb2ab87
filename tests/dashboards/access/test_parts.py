"""The pure parts: names, passwords, secrets, throttle, cookies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from starlette.responses import Response

from dashboards.access import credentials, sessions, tokens, users
from dashboards.access.credentials import Passwords
from dashboards.access.roles import ROLES, AccessRefused, Identity, may
from dashboards.access.sessions import Lifetime, Session
from dashboards.access.throttle import MAX_BUCKETS, Allowance, Allowances, Throttle, network
from dashboards.access.tokens import Token, TokensFileError, parse_tokens_file
from dashboards.api import caller
from tests.dashboards.access.people import QUICK


@pytest.mark.parametrize(
    ("text", "name"), [("li", "li"), (" Li.Wei ", "li.wei"), ("a", "a"), ("9_a-b", "9_a-b")]
)
def test_user_names_are_kept_in_small_letters(text: str, name: str) -> None:
    """So that nobody can look like somebody else."""
    assert users.username(text) == name


@pytest.mark.parametrize(
    "text", ["", ".li", "li.", "li wei", "李", "a" * 33, "token:x", "system", "Console", "<b>"]
)
def test_wrong_and_reserved_user_names_are_refused(text: str) -> None:
    """A name in a record must be what it seems: `system` is nobody, `token:x` is a token."""
    with pytest.raises(AccessRefused) as refused:
        users.username(text)
    assert refused.value.reason == "invalid_username"


@pytest.mark.parametrize(
    "password", ["", "short", "a" * 40, "x" * 257, "with LI in it yes", "abababababab"]
)
def test_weak_passwords_are_refused(password: str) -> None:
    """Too short, too long, all alike, or with the name in it."""
    with pytest.raises(AccessRefused) as refused:
        credentials.check_password(password, "li")
    assert refused.value.reason == "weak_password"


def test_hashes_are_argon2id_with_the_documented_parameters() -> None:
    """Each has its own salt; one made with other parameters is renewed."""
    slow = Passwords()
    first, second = QUICK.hash("correct horse"), QUICK.hash("correct horse")
    assert first != second
    assert slow.hash("correct horse").startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert slow.outdated(first)
    assert not QUICK.outdated(first)


def test_a_password_is_verified() -> None:
    """Right, wrong, nobody's, and a hash that is damaged."""
    encoded = QUICK.hash("correct horse")
    assert QUICK.verify("correct horse", encoded)
    assert not QUICK.verify("correct hors", encoded)
    assert not QUICK.verify("nobody has this password", None)
    assert not QUICK.verify("correct horse", "$argon2id$broken")


def test_an_unknown_user_costs_as_much_as_a_known_one() -> None:
    """One verification in both cases, so the time of an answer does not tell who exists.

    Counted, not timed: a test that measures milliseconds on a shared machine proves nothing.
    """
    calls: list[str] = []

    class Counting(Passwords):
        def verify(self, password: str, encoded: str | None) -> bool:
            calls.append(self._nobody if encoded is None else encoded)
            return super().verify(password, encoded)

    counting = Counting(time_cost=1, memory_kib=64)
    counting.verify("x", counting.hash("y"))
    counting.verify("x", None)
    parameters = [call.rsplit("$", 2)[0] for call in calls]
    assert parameters[0] == parameters[1] == "$argon2id$v=19$m=64,t=1,p=1"


def test_secrets_are_long_and_derived_tokens_do_not_tell_them() -> None:
    """256 bits; the CSRF token differs by session and is not the session's hash."""
    one, two = credentials.new_secret(), credentials.new_secret()
    assert one != two
    assert len(one) >= 43
    derived, other = (
        credentials.csrf_token(Identity("ada", "admin", "session", secret)) for secret in (one, two)
    )
    assert derived != other
    assert derived != credentials.digest(one).hex()


def test_roles_are_ordered() -> None:
    """Each may what those before it may, and no more."""
    assert [[may(role, needed) for needed in ROLES] for role in ROLES] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


LIFETIME = Lifetime(idle_ms=1000, max_ms=10_000)


@pytest.mark.parametrize(
    ("seen_ms", "now_ms", "disabled", "reason"),
    [
        (0, 999, False, None),
        (0, 1000, False, "session_over"),
        (9500, 9999, False, None),
        (9500, 10_000, False, "session_over"),
        (0, -50_000, False, None),
        (0, 1, True, "user_disabled"),
    ],
)
def test_sessions_expire(seen_ms: int, now_ms: int, disabled: bool, reason: str | None) -> None:
    """Without use, and absolutely; exactly at the end they are over; never by a clock set back."""
    session = Session("li", "viewer", disabled, 0, seen_ms)
    assert sessions.verdict(session, LIFETIME, now_ms) == reason
    assert sessions.verdict(None, LIFETIME, now_ms) == "session_over"


@pytest.mark.parametrize(
    ("expires_ms", "revoked_ms", "reason"),
    [
        (None, None, None),
        (101, None, None),
        (100, None, "token_expired"),
        (None, 5, "token_revoked"),
    ],
)
def test_tokens_expire(expires_ms: int | None, revoked_ms: int | None, reason: str | None) -> None:
    """Exactly at its expiry a token is refused; revoked ones at once."""
    token = Token("ci", "viewer", 0, "li", expires_ms, revoked_ms, None)
    assert tokens.verdict(token, 100) == reason


def test_a_tokens_file_tells_every_wrong_line_and_no_secret() -> None:
    """Somebody may have written the token itself instead of its hash."""
    good = "a" * 64
    lines = ("ok viewer", "name", "x king", "bad! viewer", "ok admin")
    text = "\n".join((*(f"{line} {good}" for line in lines), "y viewer zx_secret"))
    with pytest.raises(TokensFileError) as wrong:
        parse_tokens_file(text)
    found = [problem.split(":")[0] for problem in wrong.value.problems]
    assert found == ["line 2", "line 3", "line 4", "line 5", "line 6"]
    assert "zx_secret" not in str(wrong.value)
    assert parse_tokens_file("") == ()


FEW = Allowances(Allowance(3, 10.0), Allowance(5, 1.0), Allowance(100, 1.0))


def test_a_user_is_tried_a_few_times_and_then_slowly() -> None:
    """From wherever; the wait is named, in whole seconds, and true."""
    throttle = Throttle(FEW)
    for n in range(3):
        assert throttle.attempt("li", f"10.0.0.{n}", 0) is None
    wait = throttle.attempt("li", "10.0.0.9", 0)
    assert wait is not None
    assert (wait.reason, wait.retry_after_s, wait.first) == ("too_many_attempts_user", 10, True)
    again = throttle.attempt("li", "10.0.0.9", 0)
    assert again is not None
    assert not again.first
    assert throttle.attempt("wang", "10.0.0.9", 0) is None
    assert throttle.attempt("li", "10.0.0.9", 9_999) is not None
    assert throttle.attempt("li", "10.0.0.9", 10_000) is None
    assert throttle.attempt("li", "10.0.0.9", 10_000) is not None


def test_an_address_is_tried_a_few_times_whoever_it_says_it_is() -> None:
    """Guessing one password for many users is slow too."""
    throttle = Throttle(FEW)
    for n in range(5):
        assert throttle.attempt(f"user{n}", "2001:db8::1", 0) is None
    wait = throttle.attempt("li", "2001:db8::2", 0)
    assert wait is not None
    assert wait.reason == "too_many_attempts_address"
    assert throttle.attempt("li", "2001:db8:0:1::2", 0) is None


def test_everybody_together_is_limited() -> None:
    """Or a thousand addresses would take the machine from the bikes."""
    throttle = Throttle(Allowances(everybody=Allowance(4, 1.0)))
    for n in range(4):
        assert throttle.attempt(f"u{n}", f"10.0.{n}.1", 0) is None
    wait = throttle.attempt("u9", "10.0.9.1", 0)
    assert wait is not None
    assert wait.reason == "too_many_attempts"


def test_a_clock_that_was_ahead_locks_nobody_out() -> None:
    """Attempts of then are given back from when the clock is right."""
    throttle = Throttle(FEW)
    ahead_ms = 400 * 86_400_000
    while throttle.attempt("li", "10.0.0.1", ahead_ms) is None:
        pass
    wait = throttle.attempt("li", "10.0.0.1", 0)
    assert wait is not None
    assert throttle.attempt("li", "10.0.0.1", wait.retry_after_s * 1000) is None


def test_a_right_password_gives_back_what_it_took() -> None:
    """An office that signs in every morning is never locked out."""
    throttle = Throttle(FEW)
    for n in range(200):
        assert throttle.attempt(f"user{n % 3}", "10.0.0.1", n) is None
        throttle.succeed(f"user{n % 3}", "10.0.0.1", n)


def test_the_memory_of_attempts_is_bounded_and_keeps_the_emptiest() -> None:
    """A flood of names does not free a user who is being guessed."""
    throttle = Throttle(Allowances(Allowance(3, 1e9), Allowance(10**9, 1.0), Allowance(10**9, 1.0)))
    for _ in range(3):
        throttle.attempt("li", "10.0.0.1", 0)
    for n in range(2 * MAX_BUCKETS):
        throttle.attempt(f"u{n}", "10.0.0.1", 0)
    assert len(throttle) <= MAX_BUCKETS
    assert throttle.attempt("li", "10.0.0.1", 0) is not None


@given(st.lists(st.integers(0, 60_000), max_size=60))
def test_never_more_than_burst_and_refill(steps: list[int]) -> None:
    """However attempts are spread, so many pass as the allowance says, and no more."""
    throttle = Throttle(FEW)
    now_ms = passed = 0
    for step in steps:
        now_ms += step
        passed += throttle.attempt("li", "10.0.0.1", now_ms) is None
    assert passed <= 3 + now_ms / 10_000


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8::5", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_house_is_one_address(address: str, whole: str) -> None:
    """Its 2^64 addresses share a bucket."""
    assert network(address) == whole


def request(cookie: bytes, scheme: str = "http") -> HTTPConnection:
    """A request that brings a Cookie header."""
    return HTTPConnection({"type": "http", "scheme": scheme, "headers": [(b"cookie", cookie)]})


def test_cookies_are_marked() -> None:
    """HttpOnly and Lax always; over TLS Secure, under a name that nobody else can plant."""

    def written(scheme: str) -> list[str]:
        response = Response()
        caller.set_session(request(b"", scheme), response, "s", 60)
        return response.headers["set-cookie"].split("; ")

    marks = {"Path=/", "Max-Age=60", "HttpOnly", "SameSite=lax"}
    first, *rest = written("http")
    assert (first, set(rest)) == ("zhixun_session=s", marks)
    first, *rest = written("https")
    assert (first, set(rest)) == ("__Host-zhixun_session=s", marks | {"Secure"})
    assert caller.session_secret(request(b"a=b; zhixun_session=s")) == "s"
    assert caller.session_secret(request(b"zhixun_session=s", "https")) is None
    assert caller.session_secret(request(b"__Host-zhixun_session=s", "https")) == "s"
    assert caller.session_secret(request(b"")) is None


@given(st.binary())
def test_no_cookie_header_is_a_crash(header: bytes) -> None:
    """Whatever a client sends."""
    found = caller.session_secret(request(header))
    assert found is None or found in header.decode("latin-1")
