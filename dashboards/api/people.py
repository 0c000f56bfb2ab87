"""Routes about sessions, users, tokens and the audit record."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, NotRequired

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from typing_extensions import TypedDict

from alerts.errors import NotificationFailed
from dashboards.access.access import Access
from dashboards.access.audit import ACTIONS, By
from dashboards.access.credentials import csrf_token
from dashboards.access.roles import Identity, Role
from dashboards.access.tokens import Token
from dashboards.access.users import User
from dashboards.api import caller, paging
from dashboards.api.answers import Answer, Time
from dashboards.api.background import Background
from dashboards.api.lists import Asked
from dashboards.api.problems import PROBLEMS, one_of, unknown
from dashboards.api.routes import SAFE, group, listed, needs
from dashboards.api.times import Times
from dashboards.sources import Sources

Password = Annotated[str, Field(max_length=1024)]
UserName = Annotated[str, Field(max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Credentials(_Body):
    """What signs in."""

    username: UserName
    password: Password


class SetUp(Credentials):
    """`token` is what stands behind the # of the one-time link."""

    token: Annotated[str, Field(max_length=200)]


class OwnPassword(_Body):
    """Both passwords."""

    current: Password
    new: Password


class NewUser(Credentials):
    """A user to add."""

    role: Role


class UserChange(_Body):
    """What to change; the rest stays."""

    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None


class TokenWanted(_Body):
    """A token to add; without `expires` it lasts until it is revoked."""

    name: Annotated[str, Field(max_length=100)]
    role: Role
    expires: str | None = None


class Me(TypedDict):
    """Who is asking; `csrf_token` is what a page sends as X-CSRF-Token, null for a token."""

    name: str
    role: Role
    kind: Literal["session", "token"]
    csrf_token: str | None


class UserAnswer(TypedDict):
    """A user."""

    username: str
    role: Role
    disabled: bool
    created: Time
    password_changed: Time
    signed_in: Time | None


class Users(TypedDict):
    """All users, by name."""

    users: list[UserAnswer]


class TokenAnswer(TypedDict):
    """A token, without the token itself."""

    name: str
    role: Role
    created: Time
    created_by: str
    expires: Time | None
    revoked: Time | None
    last_used: Time | None


class NewToken(TokenAnswer):
    """A token that was just made: `token` is shown this once."""

    token: str


class Tokens(TypedDict):
    """All tokens, by name; those that are over too."""

    tokens: list[TokenAnswer]


class Recipient(TypedDict):
    """Who is told about alerts: a section [notify.NAME] of the configuration."""

    name: str


class Recipients(TypedDict):
    """All recipients, in the order of the configuration."""

    recipients: list[Recipient]


class Tested(TypedDict):
    """Whether the service of a recipient took a test, and else why not."""

    name: str
    delivered: bool
    detail: str


class AuditEntry(TypedDict):
    """Who did what, when and from where."""

    seq: int
    at: Time
    actor: str
    address: str
    action: str
    subject: str
    detail: dict[str, Any]


class AuditPage(TypedDict):
    """A page of the record, the newest first."""

    entries: list[AuditEntry]
    next_cursor: NotRequired[str]


def add(api: APIRouter, access: Access, times: Times, sources: Sources) -> None:
    """Add the routes /session, /me, /setup, /users, /tokens, /recipients and /audit."""
    # Each of these changes has its row in the audit record, in the transaction of the change.
    routes = group(api, Depends(caller.leave_out_of_record), tags=["access"])
    routes.responses = {**api.responses, 409: PROBLEMS[409]}
    admins = group(routes, needs("admin"))
    hashing = Background()  # it takes 64 MiB and a core, and waits for no other work

    def by(request: Request) -> By:
        return access.by(caller.certain(request).name, caller.address(request.scope))

    def me(identity: Identity) -> Me:
        return times.answer(Me, identity, csrf_token=csrf_token(identity))

    def signed_in(request: Request, identity: Identity) -> Response:
        answer = Answer(me(identity), status_code=201, headers={"Cache-Control": "no-store"})
        caller.set_session(request, answer, identity.secret, access.lifetime.max_ms // 1000)
        return answer

    def signed_out(request: Request) -> Response:
        answer = Response(status_code=204)
        caller.set_session(request, answer, "", 0)
        return answer

    def user(found: User) -> UserAnswer:
        changed = times.write(found.password_ms)
        return times.answer(UserAnswer, found, username=found.name, password_changed=changed)

    def token(found: Token) -> TokenAnswer:
        return times.answer(TokenAnswer, found, last_used=times.write_or_none(found.used_ms))

    @routes.post("/setup", dependencies=[needs("nobody")], status_code=201, response_model=Me)
    async def set_up(request: Request, body: SetUp) -> Response:
        """Make the first administrator with the one-time link, and sign in."""
        where = caller.address(request.scope)
        work = partial(access.set_up, body.token, body.username, body.password, where)
        return signed_in(request, await hashing.run(work, request))

    @routes.post("/session", dependencies=[needs("nobody")], status_code=201, response_model=Me)
    async def sign_in(request: Request, body: Credentials) -> Response:
        """Sign in: the answer sets the session's cookie. 429 with Retry-After when tried often."""
        where = caller.address(request.scope)
        before = caller.session_secret(request)
        work = partial(access.sign_in, body.username, body.password, where, before)
        return signed_in(request, await hashing.run(work, request))

    @routes.delete(
        "/session", dependencies=[needs("viewer")], status_code=204, response_class=Response
    )
    async def sign_out(request: Request) -> Response:
        """Sign out: this session is over, and its cookie is taken away."""
        identity = caller.certain(request)
        access.sign_out(identity, caller.address(request.scope))
        return signed_out(request)

    @routes.get("/me", dependencies=[needs("viewer")], response_model=Me)
    async def get_me(request: Request) -> Response:
        """Who is asking, and the CSRF token of the session."""
        return Answer(me(caller.certain(request)), headers={"Cache-Control": "no-store"})

    @routes.put(
        "/me/password", dependencies=[needs("viewer")], status_code=204, response_class=Response
    )
    async def change_own_password(request: Request, body: OwnPassword) -> Response:
        """Change one's password: all sessions of the user end, this one too."""
        identity, where = caller.certain(request), caller.address(request.scope)
        work = partial(access.change_own_password, identity, body.current, body.new, where)
        await hashing.run(work, request)
        return signed_out(request)

    @admins.get("/users", response_model=Users)
    async def list_users(asked: Asked) -> Response:
        """All users, disabled ones too."""
        found = [user(each) for each in access.users()]
        return asked.answer({"users": found}, "users", UserAnswer)

    @admins.post("/users", status_code=201, response_model=UserAnswer)
    async def add_user(request: Request, body: NewUser) -> Response:
        """Add a user."""
        work = partial(access.add_user, by(request), body.username, body.role, body.password)
        return Answer(user(await hashing.run(work, request)), status_code=201)

    @admins.patch("/users/{username}", response_model=UserAnswer)
    async def change_user(request: Request, username: str, body: UserChange) -> Response:
        """Set role, password, or whether the user may sign in.

        A new password ends all sessions of the user; so does disabling. 409 `last_admin` when
        nobody would be left to undo it.
        """
        change = partial(access.change_user, by(request), username, **body.model_dump())
        return Answer(
            user(change() if body.password is None else await hashing.run(change, request))
        )

    @admins.delete("/users/{username}", status_code=204, response_class=Response)
    async def disable_user(request: Request, username: str) -> Response:
        """Disable a user, who is signed out at once. The name stays in the records."""
        access.change_user(by(request), username, disabled=True)
        return Response(status_code=204)

    @admins.get("/tokens", response_model=Tokens)
    async def list_tokens(asked: Asked) -> Response:
        """All tokens, those that are over too; never the tokens themselves."""
        found = [token(each) for each in access.tokens()]
        return asked.answer({"tokens": found}, "tokens", TokenAnswer)

    @admins.post("/tokens", status_code=201, response_model=NewToken)
    async def add_token(request: Request, body: TokenWanted) -> Response:
        """Add a token for a program; the answer shows it this once."""
        expires_ms = times.read_or_none(body.expires, name="expires")
        added, secret = access.add_token(by(request), body.name, body.role, expires_ms)
        answer: dict[str, Any] = {**token(added), "token": secret}
        return Answer(answer, status_code=201, headers={"Cache-Control": "no-store"})

    @admins.delete("/tokens/{name}", status_code=204, response_class=Response)
    async def revoke_token(request: Request, name: str) -> Response:
        """Revoke a token for good."""
        access.revoke_token(by(request), name)
        return Response(status_code=204)

    @admins.get("/recipients", response_model=Recipients)
    async def list_recipients(asked: Asked) -> Response:
        """All recipients of notifications. Their addresses are secret."""
        found = [{"name": who.name} for who in sources.recipients()]
        return asked.answer({"recipients": found}, "recipients", Recipient)

    @admins.post("/recipients/{name}/test", response_model=Tested)
    async def test_recipient(request: Request, name: str) -> Response:
        """Send a recipient a test notification now."""
        found = {who.name: who for who in sources.recipients()}
        if name not in found:
            raise unknown("recipient", name, found)
        detail = ""
        try:
            await found[name].send_test(sources.now_ms())
        except NotificationFailed as exc:
            detail = str(exc)
        access.record(by(request), "notification_tested", name, {"why": detail or None})
        return Answer({"name": name, "delivered": not detail, "detail": detail})

    @admins.get("/audit", response_model=AuditPage)
    async def list_audit(
        request: Request,
        asked: Asked,
        actor: str | None = None,
        action: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: str | None = None,
    ) -> Response:
        """Every change, the newest first: who, when, from where, what."""
        before = paging.number(cursor)
        found = access.entries(actor=actor, action=action, before=before, limit=limit + 1)
        entries = [times.answer(AuditEntry, entry) for entry in found[:limit]]
        going_on = found[limit - 1].seq if len(found) > limit else None
        if not entries:
            changes = [route for route in listed(request.app.routes) if route.method not in SAFE]
            acts = [*ACTIONS, *(f"{route.method} {route.path}" for route in changes)]
            one_of("actor", actor, access.actors(), where="actor")
            one_of("action", action, acts, where="action")
        return asked.answer({"entries": entries}, "entries", AuditEntry, going_on)
