"""Manage users and tokens, each change with its row in the audit record."""

from __future__ import annotations

from dashboards.access import audit, credentials, sessions, tokens, users
from dashboards.access.audit import By
from dashboards.access.credentials import TOKEN_PREFIX, Passwords, digest, new_secret
from dashboards.access.errors import AccessRefused
from dashboards.access.file import AccessFile
from dashboards.access.roles import Role
from dashboards.access.tokens import Token
from dashboards.access.users import User


class Accounts:
    """Users and tokens of one file.

    Nobody is ever deleted: a name in a record must stay the name of the same person.
    """

    def __init__(self, file: AccessFile, passwords: Passwords) -> None:
        self._file = file
        self._passwords = passwords

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

    def set_password(self, by: By, username: str, password: str) -> User:
        """Set a password; all sessions of the user end. Slow."""
        return self.change_user(by, username, password=password)

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
