"""Users, sessions, tokens and the record, over a real file."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import get_args

import pytest

from dashboards.access.access import Access
from dashboards.access.credentials import Passwords
from dashboards.access.roles import (
    AccessRefused,
    AccessUnavailable,
    AccessUnreadable,
    Refusal,
    Role,
)
from dashboards.access.sessions import Lifetime
from tests.dashboards.access.people import PASSWORD, QUICK, Clock, boss, new_access
from tests.full_disk import full_disk
from words.times import LAST_MS

HERE = "192.0.2.1"


def refusal(act: object) -> str:
    """The reason for which something is refused."""
    with pytest.raises(AccessRefused) as refused:
        act()  # type: ignore[operator]
    return refused.value.reason


def add(access: Access, name: str, role: Role = "admin") -> None:
    access.add_user(boss(access), name, role, PASSWORD)


def test_the_link_works_once(access: Access) -> None:
    """It makes one administrator, who is signed in; after that it is worth nothing."""
    link = access.invite()
    ada = access.set_up(link, "Ada", PASSWORD, HERE)
    assert (ada.name, ada.role) == ("ada", "admin")
    assert access.session(ada.secret).name == "ada"
    assert refusal(lambda: access.set_up(link, "eve", PASSWORD, HERE)) == "already_set_up"
    assert refusal(access.invite) == "already_set_up"


def test_a_new_link_replaces_the_old(access: Access) -> None:
    """A start of the program prints a link; the ones in older logs are dead."""
    old, new = access.invite(), access.invite()
    assert refusal(lambda: access.set_up(old, "eve", PASSWORD, HERE)) == "invitation_wrong"
    assert refusal(lambda: access.set_up("", "eve", PASSWORD, HERE)) == "invitation_wrong"
    assert access.set_up(new, "ada", PASSWORD, HERE).name == "ada"


def test_a_link_expires(access: Access, clock: Clock) -> None:
    """After a day."""
    link = access.invite()
    clock.now_ms += 24 * 3_600_000
    assert refusal(lambda: access.set_up(link, "ada", PASSWORD, HERE)) == "invitation_over"
    assert not access.has_users()


def test_a_mistake_does_not_use_up_the_link(access: Access) -> None:
    """A weak password or a wrong name, and then a good one."""
    link = access.invite()
    assert refusal(lambda: access.set_up(link, "ada", "short", HERE)) == "weak_password"
    assert refusal(lambda: access.set_up(link, "a b", PASSWORD, HERE)) == "invalid_username"
    assert access.set_up(link, "ada", PASSWORD, HERE).role == "admin"


def test_nothing_in_the_file_lets_anybody_in(access: Access, tmp_path: Path) -> None:
    """Neither password, session, link nor token; and only its owner can read it."""
    add(access, "ada")
    session = access.sign_in("ada", PASSWORD, HERE)
    _, token = access.add_token(boss(access), "ci", "viewer")
    raw = b"".join(file.read_bytes() for file in tmp_path.glob("access.sqlite*"))
    for secret in (PASSWORD, session.secret, token, token.removeprefix("zx_")):
        assert secret.encode() not in raw
    assert stat.S_IMODE((tmp_path / "access.sqlite").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "access.sqlite-wal").stat().st_mode) == 0o600


def test_who_cannot_sign_in_is_not_told_why(access: Access) -> None:
    """Unknown, disabled and wrong password are one answer; the record tells no more either."""
    add(access, "ada")
    add(access, "li", "viewer")
    access.change_user(boss(access), "li", disabled=True)
    for name in ("nobody-here", "li", "ada", "A' OR 1=1", ""):
        with pytest.raises(AccessRefused) as refused:
            access.sign_in(name, "not the password", HERE)
        assert (refused.value.reason, refused.value.detail) == (
            "wrong_credentials",
            "user name or password is wrong",
        )
    assert refusal(lambda: access.sign_in("li", PASSWORD, HERE)) == "wrong_credentials"


def test_attempts_are_limited_and_a_flood_is_one_row(access: Access, clock: Clock) -> None:
    """The eleventh in a row must wait, even with the right password; then it may."""
    add(access, "ada")
    for _ in range(10):
        assert refusal(lambda: access.sign_in("ada", "wrong", HERE)) == "wrong_credentials"
    before = len(access.entries(limit=1000))
    for _ in range(50):
        with pytest.raises(AccessRefused) as refused:
            access.sign_in("ADA ", PASSWORD, HERE)
        assert refused.value.reason == "too_many_attempts_user"
        assert refused.value.retry_after_s == 30
    assert len(access.entries(limit=1000)) == before + 1
    clock.now_ms += 30_000
    assert access.sign_in("ada", PASSWORD, HERE).name == "ada"


def test_sessions_end_without_use_and_absolutely(access: Access, clock: Clock) -> None:
    """Twelve hours without use, seven days in any case."""
    add(access, "ada")
    session = access.sign_in("ada", PASSWORD, HERE)
    for _ in range(14):
        clock.now_ms += 11 * 3_600_000
        assert access.session(session.secret).name == "ada"
    clock.now_ms += 13 * 3_600_000
    assert refusal(lambda: access.session(session.secret)) == "session_over"
    session = access.sign_in("ada", PASSWORD, HERE)
    for _ in range(15):
        clock.now_ms += 11 * 3_600_000
        access.session(session.secret)
    clock.now_ms += 3 * 3_600_000
    assert refusal(lambda: access.session(session.secret)) == "session_over"


def test_a_short_session_lasts_while_it_is_used(tmp_path: Path, clock: Clock) -> None:
    """Use counts however short `session_idle` is, not only once a minute."""
    access = new_access(tmp_path / "short.sqlite", clock, Lifetime(idle_ms=20_000))
    add(access, "ada")
    session = access.sign_in("ada", PASSWORD, HERE)
    for _ in range(20):
        clock.now_ms += 15_000
        assert access.session(session.secret).name == "ada"
    clock.now_ms += 20_000
    assert refusal(lambda: access.session(session.secret)) == "session_over"
    access.close()


def test_a_session_of_a_clock_that_was_ahead_begins_when_it_is_seen(
    access: Access, clock: Clock
) -> None:
    """It ends as others do; one that nobody uses again is forgotten with the next sign-in."""
    add(access, "ada")
    clock.now_ms += 400 * 86_400_000
    used, left = (access.sign_in("ada", PASSWORD, HERE) for _ in range(2))
    clock.now_ms -= 400 * 86_400_000
    assert access.session(used.secret).name == "ada"
    access.sign_in("ada", PASSWORD, HERE)
    assert refusal(lambda: access.session(left.secret)) == "session_over"
    clock.now_ms += 13 * 3_600_000
    assert refusal(lambda: access.session(used.secret)) == "session_over"


def test_a_full_disk_signs_nobody_out(access: Access, clock: Clock, tmp_path: Path) -> None:
    """Who is signed in reads on, and a program with its token; nothing can be changed."""
    add(access, "ada")
    session = access.sign_in("ada", PASSWORD, HERE)
    _, token = access.add_token(boss(access), "ci", "viewer")
    clock.now_ms += 3_600_000
    with full_disk(tmp_path / "access.sqlite-wal"):
        assert access.session(session.secret).name == "ada"
        assert access.token(token).name == "token:ci"
        with pytest.raises(AccessUnavailable):
            access.record(boss(access), "POST /x", "y", {})
    access.record(boss(access), "POST /x", "y", {})
    access.session(session.secret)
    clock.now_ms += 12 * 3_600_000 - 1
    assert access.session(session.secret).name == "ada", "the use is written when there is room"


def test_signing_out_ends_this_session_only(access: Access) -> None:
    """The other browser stays."""
    add(access, "ada")
    here, there = (access.sign_in("ada", PASSWORD, HERE) for _ in range(2))
    access.sign_out(here, HERE)
    assert refusal(lambda: access.session(here.secret)) == "session_over"
    assert access.session(there.secret).name == "ada"


def test_a_new_password_ends_all_sessions(access: Access) -> None:
    """Whether one changes it oneself or somebody else does."""
    add(access, "ada")
    sessions = [access.sign_in("ada", PASSWORD, HERE) for _ in range(3)]
    new = "another four words"
    assert (
        refusal(lambda: access.change_own_password(sessions[0], "wrong", new, HERE))
        == "wrong_credentials"
    )
    access.change_own_password(sessions[0], PASSWORD, new, HERE)
    for session in sessions:
        assert refusal(lambda secret=session.secret: access.session(secret)) == "session_over"
    assert refusal(lambda: access.sign_in("ada", PASSWORD, HERE)) == "wrong_credentials"
    session = access.sign_in("ada", new, HERE)
    access.change_user(boss(access), "ada", password=PASSWORD)
    assert refusal(lambda: access.session(session.secret)) == "session_over"


def test_roles_and_disabling_work_at_once(access: Access) -> None:
    """On the session that is open, not on the next one."""
    add(access, "ada")
    add(access, "li", "dispatcher")
    session = access.sign_in("li", PASSWORD, HERE)
    access.change_user(boss(access), "li", role="viewer")
    assert access.session(session.secret).role == "viewer"
    access.change_user(boss(access), "li", disabled=True)
    assert refusal(lambda: access.session(session.secret)) == "session_over"
    access.change_user(boss(access), "li", disabled=False)
    assert refusal(lambda: access.session(session.secret)) == "session_over"
    assert access.sign_in("li", PASSWORD, HERE).role == "viewer"


def test_the_last_administrator_stays(access: Access) -> None:
    """Nobody would be left to undo it; nothing is changed."""
    add(access, "ada")
    add(access, "li", "viewer")
    who = boss(access)
    assert refusal(lambda: access.change_user(who, "ada", role="viewer")) == "last_admin"
    assert refusal(lambda: access.change_user(who, "ada", disabled=True)) == "last_admin"
    assert access.users()[0].role == "admin"
    access.change_user(who, "li", role="admin")
    access.change_user(who, "ada", disabled=True)


def test_a_change_is_whole_or_nothing(access: Access) -> None:
    """A role that may not be set leaves the password as it was, and the sessions."""
    add(access, "ada")
    session = access.sign_in("ada", PASSWORD, HERE)
    change = {"role": "viewer", "password": "another four words"}
    assert refusal(lambda: access.change_user(boss(access), "ada", **change)) == "last_admin"
    assert access.session(session.secret).name == "ada"
    assert access.sign_in("ada", PASSWORD, HERE).role == "admin"


def test_every_reason_is_in_the_manual() -> None:
    """docs/access.md lists the words that answers and records use."""
    manual = (Path(__file__).parents[3] / "docs/access.md").read_text("utf-8")
    assert [reason for reason in get_args(Refusal) if f"`{reason}`" not in manual] == []


def test_names_are_never_used_again(access: Access) -> None:
    """A name in the record stays the name of the same user or token."""
    add(access, "ada")
    add(access, "li")
    access.change_user(boss(access), "li", disabled=True)
    assert refusal(lambda: add(access, "LI")) == "username_taken"
    access.add_token(boss(access), "ci", "viewer")
    access.revoke_token(boss(access), "ci")
    assert refusal(lambda: access.add_token(boss(access), "ci", "viewer")) == "token_name_taken"


def test_tokens_work_until_they_expire_or_are_revoked(access: Access, clock: Clock) -> None:
    """And say when they were last used, to the minute."""
    _, month = access.add_token(boss(access), "m", "viewer", clock.now_ms + 1000)
    _, ever = access.add_token(boss(access), "e", "dispatcher")
    assert access.token(month).name == "token:m"
    assert access.token(ever).role == "dispatcher"
    clock.now_ms += 1000
    assert refusal(lambda: access.token(month)) == "token_expired"
    assert access.token(ever)
    assert [token.used_ms for token in access.tokens()] == [clock.now_ms - 1000] * 2
    clock.now_ms += 60_000
    access.token(ever)
    assert access.tokens()[0].used_ms == clock.now_ms
    access.revoke_token(boss(access), "e")
    assert refusal(lambda: access.token(ever)) == "token_revoked"
    assert refusal(lambda: access.token("zx_guess")) == "token_unknown"
    late = clock.now_ms
    assert refusal(lambda: access.add_token(boss(access), "x", "viewer", late)) == "expiry_in_past"


def test_an_expiry_that_an_older_version_kept_can_be_shown(access: Access) -> None:
    """The year 9999 is the end of the calendar; the list and the command line show that."""
    access.add_token(boss(access), "m", "viewer", 253_402_300_799_000)
    assert access.tokens()[0].expires_ms == LAST_MS


def test_the_record_is_append_only(access: Access, tmp_path: Path) -> None:
    """Not even by hand."""
    add(access, "ada")
    with sqlite3.connect(tmp_path / "access.sqlite") as db:
        for statement in ("DELETE FROM audit", "UPDATE audit SET actor = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(statement)
    db.close()


def test_every_change_has_a_row(access: Access) -> None:
    """Who, what and about whom, in the transaction of the change; a refused one leaves none."""
    link = access.invite()
    ada = access.set_up(link, "ada", PASSWORD, HERE)
    by = access.by("ada", HERE)
    access.add_user(by, "li", "viewer", PASSWORD)
    access.change_user(by, "li", role="dispatcher")
    refusal(lambda: access.sign_in("li", "wrong", HERE))
    refusal(lambda: access.change_user(by, "ada", disabled=True))
    access.change_user(by, "li", password="another four words")
    access.change_user(by, "li", disabled=True)
    access.add_token(by, "ci", "viewer")
    access.revoke_token(by, "ci")
    access.revoke_token(by, "ci")
    access.sign_out(ada, HERE)
    rows = [(row.actor, row.action, row.subject) for row in reversed(access.entries())]
    assert rows == [
        ("setup", "invitation_made", ""),
        ("setup", "user_added", "ada"),
        ("ada", "login", ""),
        ("ada", "user_added", "li"),
        ("ada", "role_changed", "li"),
        ("li", "login_failed", ""),
        ("ada", "password_changed", "li"),
        ("ada", "user_disabled", "li"),
        ("ada", "token_added", "ci"),
        ("ada", "token_revoked", "ci"),
        ("ada", "logout", ""),
    ]
    assert {row.address for row in access.entries() if row.actor == "ada"} == {HERE}
    assert [row.action for row in access.entries(action="login")] == ["login"]


def test_two_programs_share_the_file(access: Access, tmp_path: Path, clock: Clock) -> None:
    """`patrol user` beside a station: what one writes, the other sees at once."""
    add(access, "ada")
    add(access, "li", "viewer")
    session = access.sign_in("li", PASSWORD, HERE)
    other = new_access(tmp_path / "access.sqlite", clock)
    other.change_user(boss(other), "li", disabled=True)
    other.close()
    assert refusal(lambda: access.session(session.secret)) == "session_over"


def test_an_old_hash_is_renewed_when_its_user_signs_in(tmp_path: Path, clock: Clock) -> None:
    """Then only is the password at hand."""
    path = tmp_path / "access.sqlite"
    access = Access(path, clock, passwords=QUICK)
    add(access, "ada")
    access.close()
    stronger = Passwords(time_cost=2, memory_kib=128)
    access = Access(path, clock, passwords=stronger)
    access.sign_in("ada", PASSWORD, HERE)
    access.close()
    with sqlite3.connect(path) as db:
        (encoded,) = db.execute("SELECT password FROM user").fetchone()
    db.close()
    assert "m=128,t=2" in encoded


def test_a_damaged_file_is_said_and_kept(tmp_path: Path, clock: Clock) -> None:
    """It is never overwritten: somebody may still save it."""
    path = tmp_path / "access.sqlite"
    path.write_bytes(b"not a database at all, really not" * 40)
    before = path.read_bytes()
    with pytest.raises(AccessUnreadable, match="restore it from a backup"):
        new_access(path, clock)
    assert path.read_bytes() == before


def test_a_newer_file_is_said(tmp_path: Path, clock: Clock) -> None:
    """An older program must not guess at it."""
    path = tmp_path / "access.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(AccessUnreadable, match="format 99"):
        new_access(path, clock)
