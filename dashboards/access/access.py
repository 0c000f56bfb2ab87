"""Access control as a whole: what may be asked of it, each with its row in the audit record.

Methods that hash a password take a tenth of a second: call them in a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from dashboards.access import audit, credentials, sessions, tokens, users
from dashboards.access.audit import AccessFile, By, Entry
from dashboards.access.credentials import TOKEN_PREFIX, Passwords, digest, new_secret
from dashboards.access.roles import AccessRefused, Identity, Refusal, Role
from dashboards.access.sessions import Lifetime
from dashboards.access.throttle import Throttle
from dashboards.access.tokens import StaticToken, Token
from dashboards.access.users import User

FILE_NAME = "access.sqlite"

_DETAILS: dict[Refusal, str] = {
    "session_over": "the session is over; sign in again",
    "user_disabled": "this user has been disabled; ask an administrator",
    "token_unknown": "this server does not know the token",
    "token_revoked": "the token has been revoked; ask an administrator for another one",
    "token_expired": "the token has expired; ask an administrator for another one",
}


class Access:
    """Users, sessions and tokens over one file.

    Nobody is ever deleted: a name in a record must stay the name of the same person.

    `now_ms` is the wall's clock: sessions are about people, whatever time the bikes have.
    `static_tokens` are those of the tokens file. Methods may be called from any thread, those that
    are slow not on the event loop. By every one AccessUnavailable or AccessUnreadable may say that
    the file cannot be used, and then nothing was changed.
    """

    def __init__(
        self,
        path: Path | str,
        now_ms: Callable[[], int],
        *,
        lifetime: Lifetime | None = None,
        static_tokens: Iterable[StaticToken] = (),
        passwords: Passwords | None = None,
    ) -> None:
        self.lifetime = lifetime or Lifetime()
        self._passwords = passwords or Passwords()
        self.follow(static_tokens)
        self._throttle = Throttle()
        self.now_ms = now_ms
        self._file = AccessFile(path)

    def follow(self, static_tokens: Iterable[StaticToken]) -> None:
        """Let in these tokens of the tokens file from now on, and no others of it."""
        self._static = {token.digest: token for token in static_tokens}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def by(self, actor: str, address: str = "") -> By:
        """An actor at an address, now."""
        return By(actor, address, self.now_ms())

    # -- who is asking ---------------------------------------------------------------

    def session(self, secret: str) -> Identity:
        """Who a session's secret belongs to; AccessRefused when it is over."""
        now_ms, key = self.now_ms(), digest(secret)
        with self._file.reading() as db:
            found = sessions.find(db, key)
            reason = sessions.verdict(found, self.lifetime, now_ms)
            if found is None or reason is not None:
                raise _refused(reason or "session_over")
            if not 0 <= now_ms - found.seen_ms < self.lifetime.seen_every_ms:
                _note(db, sessions.SEEN, now_ms, key)
        return Identity(found.user, found.role, "session", secret)

    def token(self, secret: str) -> Identity:
        """Who a bearer token belongs to; AccessRefused when it is nobody's."""
        now_ms, key = self.now_ms(), digest(secret)
        static = self._static.get(key)
        if static is not None:
            return Identity(f"file:{static.name}", static.role, "token")
        with self._file.reading() as db:
            found = tokens.find(db, key)
            reason = tokens.verdict(found, now_ms)
            if found is None or reason is not None:
                raise _refused(reason or "token_unknown")
            if found.used_ms is None or not 0 <= now_ms - found.used_ms < tokens.USED_EVERY_MS:
                _note(db, "UPDATE token SET used_ms = ? WHERE digest = ?", now_ms, key)
        return Identity(f"token:{found.name}", found.role, "token")

    # -- signing in and out ----------------------------------------------------------

    def sign_in(
        self, username: str, password: str, address: str, before: str | None = None
    ) -> Identity:
        """Start a session, and end the one of the secret `before` in the same browser; slow.

        AccessRefused: `wrong_credentials`, the same for an unknown user, a disabled one and a wrong
        password; or a reason of :class:`dashboards.access.throttle.Throttle`.
        """
        by = self.by(username.strip().lower(), address)
        name = by.actor
        self._attempt(by)
        with self._file.reading() as db:
            encoded = users.password_of(db, name)
        if not self._passwords.verify(password, encoded) or encoded is None:
            with self._file.transaction() as db:
                audit.append(db, by, "login_failed", detail={"reason": "wrong_credentials"})
            raise AccessRefused("wrong_credentials", "user name or password is wrong")
        self._throttle.succeed(name, address, by.at_ms)
        renewed = self._passwords.hash(password) if self._passwords.outdated(encoded) else None
        with self._file.transaction() as db:
            if users.password_of(db, name) != encoded:
                # Changed or disabled while the hash was computed.
                raise AccessRefused("wrong_credentials", "user name or password is wrong")
            if renewed is not None:
                db.execute("UPDATE user SET password = ? WHERE name = ?", (renewed, name))
            sessions.sweep(db, self.lifetime, by.at_ms)
            sessions.end(db, digest(before or ""))
            return self._start(db, users.known(db, name), by)

    def sign_out(self, identity: Identity, address: str) -> None:
        """End this session. AccessRefused: `no_session`; a token has none."""
        if identity.kind != "session":
            raise AccessRefused("no_session", "a token has no session; revoke it instead")
        with self._file.transaction() as db:
            sessions.end(db, digest(identity.secret))
            audit.append(db, self.by(identity.name, address), "logout")

    def change_own_password(self, identity: Identity, current: str, new: str, address: str) -> None:
        """Change one's own password, given the current one; ends all sessions of the user. Slow.

        AccessRefused: `no_session`, `wrong_credentials`, `weak_password`, or too many attempts.
        """
        if identity.kind != "session":
            raise AccessRefused("no_session", "a token has no password")
        by = self.by(identity.name, address)
        self._attempt(by)
        with self._file.reading() as db:
            encoded = users.password_of(db, identity.name)
        if not self._passwords.verify(current, encoded):
            with self._file.transaction() as db:
                audit.append(db, by, "password_refused", identity.name)
            raise AccessRefused("wrong_credentials", "the current password is wrong")
        self._throttle.succeed(identity.name, address, by.at_ms)
        self.change_user(by, identity.name, password=new)

    def _attempt(self, by: By) -> None:
        wait = self._throttle.attempt(by.actor, by.address, by.at_ms)
        if wait is None:
            return
        if wait.first:  # the rest of a flood would fill the disk
            with self._file.transaction() as db:
                audit.append(db, by, "login_failed", detail={"reason": wait.reason})
        raise AccessRefused(
            wait.reason,
            f"too many attempts; try again in {wait.retry_after_s} s",
            retry_after_s=wait.retry_after_s,
        )

    def _start(self, db: sqlite3.Connection, user: User, by: By) -> Identity:
        secret = new_secret()
        sessions.start(db, digest(secret), user.name, by.address, by.at_ms)
        db.execute("UPDATE user SET signed_in_ms = ? WHERE name = ?", (by.at_ms, user.name))
        audit.append(db, by, "login")
        return Identity(user.name, user.role, "session", secret)

    # -- the first administrator -----------------------------------------------------

    def has_users(self) -> bool:
        """Whether anybody can sign in."""
        with self._file.reading() as db:
            return any(not user.disabled for user in users.everyone(db))

    def invite(self) -> str:
        """Make a new one-time link and return its secret; an older link becomes invalid.

        AccessRefused: `already_set_up`.
        """
        secret = new_secret()
        with self._file.transaction() as db:
            if users.everyone(db):
                raise AccessRefused("already_set_up", "there are users; they add others")
            by = self.by("setup")
            users.invite(db, digest(secret), by.at_ms)
            audit.append(db, by, "invitation_made")
        return secret

    def set_up(self, secret: str, username: str, password: str, address: str) -> Identity:
        """Make the first administrator with a one-time link, signed in; slow.

        AccessRefused: `already_set_up`, `invitation_wrong`, `invitation_over`, `invalid_username`,
        `weak_password`; the link may be used again after the last two.
        """
        by = self.by("setup", address)
        self._attempt(by)
        name = users.username(username)
        credentials.check_password(password, name)
        encoded = self._passwords.hash(password)
        with self._file.transaction() as db:
            if users.everyone(db):
                raise AccessRefused("already_set_up", "there is an administrator; sign in")
            users.take_invitation(db, digest(secret), by.at_ms)
            users.add(db, name, "admin", encoded, by.at_ms)
            audit.append(db, by, "user_added", name, {"role": "admin", "by": "one-time link"})
            return self._start(db, users.known(db, name), by._replace(actor=name))

    # -- users -----------------------------------------------------------------------

    def users(self) -> list[User]:
        """All users by name."""
        with self._file.reading() as db:
            return users.everyone(db)

    def add_user(self, by: By, username: str, role: Role, password: str) -> User:
        """Add a user; slow. AccessRefused: invalid_username, username_taken, weak_password."""
        name = users.username(username)
        credentials.check_password(password, name)
        encoded = self._passwords.hash(password)
        with self._file.transaction() as db:
            users.add(db, name, role, encoded, by.at_ms)
            audit.append(db, by, "user_added", name, {"role": role})
            return users.known(db, name)

    def change_user(
        self,
        by: By,
        username: str,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        password: str | None = None,
    ) -> User:
        """Set role, password, and whether a user may sign in: all of it or nothing.

        With a new password, and when disabled, the user is signed out everywhere at once. Slow
        with a password.

        AccessRefused: `unknown_user`, `weak_password`, `last_admin`.
        """
        encoded = None
        if password is not None:
            with self._file.reading() as db:
                users.known(db, username)
            credentials.check_password(password, username)
            encoded = self._passwords.hash(password)
        with self._file.transaction() as db:
            before = users.known(db, username)
            after = before._replace(
                role=before.role if role is None else role,
                disabled=before.disabled if disabled is None else disabled,
            )
            users.change(db, username, after.role, after.disabled)
            if after.role != before.role:
                detail = {"from": before.role, "to": after.role}
                audit.append(db, by, "role_changed", username, detail)
            if encoded is not None:
                users.set_password(db, username, encoded, by.at_ms)
                ended = sessions.end_all(db, username)
                audit.append(db, by, "password_changed", username, {"sessions_ended": ended})
            if after.disabled != before.disabled:
                ended = sessions.end_all(db, username)
                action = "user_disabled" if after.disabled else "user_enabled"
                audit.append(db, by, action, username, {"sessions_ended": ended})
            return users.known(db, username)

    # -- tokens ----------------------------------------------------------------------

    def tokens(self) -> list[Token]:
        """All tokens by name, those that are over too; not those of the file."""
        with self._file.reading() as db:
            return tokens.everything(db)

    def add_token(
        self, by: By, name: str, role: Role, expires_ms: int | None = None
    ) -> tuple[Token, str]:
        """Add a token; the second value is the token itself, which nobody can see again.

        AccessRefused: `invalid_token_name`, `token_name_taken`, `expiry_in_past`.
        """
        if expires_ms is not None and expires_ms <= by.at_ms:
            raise AccessRefused("expiry_in_past", "a token expires at an instant after now")
        secret = new_secret(TOKEN_PREFIX)
        token = Token(tokens.token_name(name), role, by.at_ms, by.actor, expires_ms, None, None)
        with self._file.transaction() as db:
            tokens.add(db, token, digest(secret))
            detail = {"role": role, "expires_ms": expires_ms}
            audit.append(db, by, "token_added", token.name, detail)
        return token, secret

    def revoke_token(self, by: By, name: str) -> Token:
        """End a token for good; twice is once. AccessRefused: unknown_token."""
        with self._file.transaction() as db:
            if tokens.known(db, name).revoked_ms is None:
                db.execute("UPDATE token SET revoked_ms = ? WHERE name = ?", (by.at_ms, name))
                audit.append(db, by, "token_revoked", name)
            return tokens.known(db, name)

    # -- the record ------------------------------------------------------------------

    def record(self, by: By, action: str, subject: str, detail: Mapping[str, object]) -> None:
        """Append a row for a change made elsewhere."""
        with self._file.transaction() as db:
            audit.append(db, by, action, subject, detail)

    def entries(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Rows of the record, the newest first; see :func:`dashboards.access.audit.read`."""
        with self._file.reading() as db:
            return audit.read(db, actor, action, before, limit)

    def actors(self) -> list[str]:
        """All who are on record, in their order."""
        with self._file.reading() as db:
            return audit.actors(db)


def _refused(reason: Refusal) -> AccessRefused:
    return AccessRefused(reason, _DETAILS[reason])


def _note(db: sqlite3.Connection, update: str, now_ms: int, key: bytes) -> None:
    """Note a use; left out on a full disk, which turns nobody away."""
    with suppress(sqlite3.OperationalError):
        db.execute(update, (now_ms, key))
