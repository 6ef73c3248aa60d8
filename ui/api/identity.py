"""Who sends a request: shown by an API key or a token, or, in open mode, whoever is on this machine.

The door is closed by default: `SignIn` stands before every path of the API, so that no route can forget to ask.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.access.keys import ApiKey, KeyStore
from tools.identities.accounts import is_of_chat
from tools.pool import DatabaseBusy
from ui.api.problems import ProblemError, answer, busy
from ui.api.tokens import SignersUnavailable, TokenRejected, TokenVerifier

PROTECTED = ("/api", "/v1", "/profile", "/recommend", "/predict", "/content", "/interaction", "/results", "/metrics")
SESSION_COOKIE = "attune_session"
PROXIED_USER = "x-openwebui-user-id"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="attune"'}
INVALID = {"WWW-Authenticate": 'Bearer realm="attune", error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request. `user_id` is None in open mode only: there the request itself says who asks.

    `scopes` are out of user, admin and trusted-proxy; `proxied` says that a trusted proxy named the user. `acts_for` is
    filled in while the request runs: the users in whose name it acts, and whose its answer is where that is kept.
    """

    user_id: str | None
    scopes: frozenset[str] = frozenset({"user"})
    proxied: bool = False
    acts_for: set[str] = field(default_factory=set, compare=False)

    @property
    def is_open(self) -> bool:
        """Nobody signs in: this machine only."""
        return self.user_id is None

    @property
    def is_admin(self) -> bool:
        """May act for anyone."""
        return "admin" in self.scopes

    @property
    def caller(self) -> str:
        """Whose requests are counted together."""
        return f"user:{self.user_id}" if self.user_id is not None else "open"

    def may_act_for(self, user_id: str) -> bool:
        """Whether what is asked in this user's name may be done."""
        return self.is_open or self.is_admin or user_id == self.user_id


class Authenticator:
    """Finds out who sends a request.

    Args:
        required: False is open mode, in which credentials are not looked at.
        keys: Gives the store of API keys.
        tokens: Checks tokens; None where none are taken.
    """

    def __init__(
        self, *, required: bool, keys: Callable[[], Awaitable[KeyStore]], tokens: TokenVerifier | None = None
    ) -> None:
        self.required = required
        self._keys = keys
        self._tokens = tokens

    async def identify(self, headers: Headers, *, cookies: bool = False) -> Identity:
        """Who this is. `cookies` True also takes the page's cookie, which is never enough for the API.

        Raises:
            ProblemError: 401 without usable credentials, 503 when they cannot be checked now.
        """
        if not self.required:
            return Identity(None, frozenset({"user", "admin"}))
        presented = _bearer(headers) or (_cookie(headers) if cookies else None)
        if presented is None:
            raise ProblemError(
                401, "Sign in: send Authorization: Bearer with an API key or a token.", headers=CHALLENGE
            )
        if presented.startswith("attune_"):
            return await self._by_key(presented, headers)
        return await self._by_token(presented)

    async def _by_key(self, presented: str, headers: Headers) -> Identity:
        try:
            key = await (await self._keys()).find(presented)
        except DatabaseBusy as error:
            raise busy(error) from error
        if key is None:
            raise ProblemError(401, "The API key is not valid: unknown, expired or revoked.", headers=INVALID)
        proxied = _proxied_user(key, headers)
        return Identity(
            proxied or key.user_id, key.scopes if proxied is None else key.scopes - {"admin"}, bool(proxied)
        )

    async def _by_token(self, presented: str) -> Identity:
        if self._tokens is None:
            raise ProblemError(401, "Tokens are not taken here; send an API key.", headers=INVALID)
        try:
            user_id, admin = await self._tokens.verify(presented)
        except TokenRejected as error:
            raise ProblemError(401, str(error), headers=INVALID) from error
        except SignersUnavailable as error:
            raise ProblemError(503, str(error)) from error
        return Identity(_not_of_chat(user_id), frozenset({"user", "admin"} if admin else {"user"}))


def _bearer(headers: Headers) -> str | None:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() or None if scheme.lower() == "bearer" else None


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return None
    return found.value or None if found else None


def _proxied_user(key: ApiKey, headers: Headers) -> str | None:
    """The user whom a trusted proxy names; what anybody else says in that header is not heard."""
    if "trusted-proxy" not in key.scopes:
        return None
    user_id = headers.get(PROXIED_USER, "").strip()
    if not user_id:
        return None
    if len(user_id) > 200 or not user_id.isprintable():
        raise ProblemError(400, "Expected X-OpenWebUI-User-Id to be 1 to 200 printable characters.")
    return _not_of_chat(user_id)


def _not_of_chat(user_id: str) -> str:
    """Whoever chooses their own name elsewhere may not choose that of an account in Slack or Discord."""
    if is_of_chat(user_id):
        raise ProblemError(403, "A user id that begins with slack: or discord: is a chat account's; link it instead.")
    return user_id


class SignIn:
    """Lets requests of the API pass once it is known who sends them; `scope["state"]["identity"]` says it."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self.app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_protected(scope["path"]):
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["is_api"] = True  # for the log, also when it ends here
        try:
            identity = await self._authenticator.identify(Headers(scope=scope))
            _require_admin_for_metrics(scope["path"], identity)
        except ProblemError as error:
            await answer(scope, error.problem, error.headers)(scope, receive, send)
            return
        scope["state"]["identity"] = identity
        await self.app(scope, receive, send)


def is_protected(path: str) -> bool:
    """Whether a path belongs to the API rather than to the page, its assets and the health checks."""
    return any(path == root or path.startswith(f"{root}/") for root in PROTECTED)


def _require_admin_for_metrics(path: str, identity: Identity) -> None:
    if path.startswith("/metrics") and not identity.is_admin:
        raise ProblemError(403, "The metrics are for admins: use a key with the scope admin.")
