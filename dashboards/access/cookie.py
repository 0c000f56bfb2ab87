"""The cookie that holds a session's secret."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

NAME = "zhixun_session"
SECURE_NAME = f"__Host-{NAME}"
"""Over TLS: browsers take a cookie of this name only over TLS and from this very host, so no
neighbour can plant one."""


def read(header: str, *, secure: bool) -> str | None:
    """The secret in a Cookie header, or None.

    Parameters
    ----------
    header : str
        All that the browser sent.
    secure : bool
        Whether the request came over TLS.
    """
    try:
        found = SimpleCookie(header).get(SECURE_NAME if secure else NAME)
    except CookieError:
        return None
    return found.value or None if found else None


def written(secret: str, *, secure: bool, max_age_s: int) -> str:
    """A Set-Cookie header; an empty secret and age 0 take the cookie away.

    Lax, not Strict: a link to an alert in a chat must not ask to sign in again. What changes
    something needs a CSRF token besides.
    """
    name, flag = (SECURE_NAME, "; Secure") if secure else (NAME, "")
    return f"{name}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{flag}"
