"""Bearer tokens: JSON Web Tokens (RFC 7519) that somebody else's sign-in has made, checked here.

The algorithms are chosen by the operator, never by the token (RFC 8725, 3.1); `exp`, `iss`, `aud` and the user's claim
must be there.
"""

import asyncio
import json
import logging
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt

from agent.errors import SettingsError
from agent.settings import Settings
from knowledge_base.errors import AttuneError
from ui.loopback import is_loopback

log = logging.getLogger(__name__)

LEEWAY = 30.0  # seconds that two clocks may differ
FETCH_SECONDS = 5.0
MOST_BYTES = 2**20
KEPT_SECONDS = 600.0  # for which fetched keys are believed
SOONEST_SECONDS = 30.0  # between two fetches, so that made-up key ids cost the signer nothing


class TokenRejected(AttuneError):
    """A token proves nothing; the message may be shown to whoever sent it."""


class SignersUnavailable(AttuneError):
    """The public keys cannot be had, so that no token can be checked."""


class KeySource(Protocol):
    """Finds the key that a token says it was signed with."""

    async def key_for(self, header: Mapping[str, Any]) -> Any: ...


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """One secret for all tokens."""

    secret: str

    async def key_for(self, header: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the same whatever the token says
        """The secret."""
        return self.secret


class PublicKeys:
    """A JSON Web Key Set (RFC 7517) at an address or in a file, read again when it is old or misses a key."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")
        self._lock = asyncio.Lock()

    async def key_for(self, header: Mapping[str, Any]) -> Any:
        """The key with the token's `kid`; without one, the only key there is.

        Raises:
            TokenRejected: no such key.
            SignersUnavailable: there are no keys yet, and they cannot be read.
        """
        async with self._lock:
            if time.monotonic() - self._fetched > KEPT_SECONDS or self._find(header) is None:
                await self._refresh()
            found = self._find(header)
        if found is None:
            raise TokenRejected("The token is signed with a key that is not known here.")
        return found

    def _find(self, header: Mapping[str, Any]) -> jwt.PyJWK | None:
        kid = header.get("kid")
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid) if isinstance(kid, str) else None

    async def _refresh(self) -> None:
        if time.monotonic() - self._tried < SOONEST_SECONDS:
            return
        self._tried = time.monotonic()
        try:
            keys = jwt.PyJWKSet.from_dict(json.loads(await asyncio.to_thread(_read, self._place))).keys
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.warning("the signers' keys cannot be read from %s: %s", self._place, error)
            if not self._keys:
                raise SignersUnavailable("Tokens cannot be checked now: the signers' keys cannot be read.") from error
            return
        self._keys = {key.key_id or "": key for key in keys}
        self._fetched = time.monotonic()


def _read(place: str) -> bytes:
    if "://" not in place:
        return Path(place).read_bytes()
    with urllib.request.urlopen(place, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - checked when it was set
        return bytes(answer.read(MOST_BYTES))


@dataclass(frozen=True, slots=True)
class TokenVerifier:
    """What a token must be to be believed."""

    keys: KeySource
    algorithms: Sequence[str]
    issuer: str
    audience: str
    user_claim: str = "sub"
    admin_scope: str = "attune:admin"

    async def verify(self, token: str) -> tuple[str, bool]:
        """Whose token this is, and whether it is an admin's.

        Raises:
            TokenRejected: it is altered, expired, not yet valid, or meant for somebody else.
            SignersUnavailable: it cannot be checked now.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self.algorithms:
                raise TokenRejected("The token is signed by an algorithm that is not taken here.")
            claims = self._decode(token, await self.keys.key_for(header))
        except jwt.ExpiredSignatureError as error:
            raise TokenRejected("The token has expired.") from error
        except jwt.PyJWTError as error:
            raise TokenRejected("The token is not valid here.") from error
        return _user_id(claims, self.user_claim), self.admin_scope in _scopes(claims)

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            algorithms=list(self.algorithms),
            issuer=self.issuer,
            audience=self.audience,
            leeway=LEEWAY,
            options={"require": ["exp", "iss", "aud", self.user_claim]},
        )


def _user_id(claims: Mapping[str, Any], claim: str) -> str:
    user_id = claims[claim]
    if not isinstance(user_id, str) or not (0 < len(user_id.strip()) <= len(user_id) <= 200):
        raise TokenRejected(f"The token's {claim} is no user id: expected 1 to 200 characters.")
    if not user_id.isprintable():
        raise TokenRejected(f"The token's {claim} is no user id: expected printable characters.")
    return user_id


def _scopes(claims: Mapping[str, Any]) -> Sequence[str]:
    scope = claims.get("scope", claims.get("scp", ""))
    if isinstance(scope, str):
        return scope.split()
    return [one for one in scope if isinstance(one, str)] if isinstance(scope, list) else []


def verifier_of(settings: Settings) -> TokenVerifier | None:
    """The check that these settings describe; None when they name no signer.

    Raises:
        SettingsError: something is missing that makes a check safe.
    """
    if settings.jwt_secret is None and settings.jwt_jwks is None:
        return None
    if settings.jwt_secret is not None and settings.jwt_jwks is not None:
        raise SettingsError("Expected ATTUNE_JWT_SECRET or ATTUNE_JWT_JWKS, got both: unset one of them.")
    if not settings.jwt_issuer or not settings.jwt_audience:
        raise SettingsError(
            "Tokens are only safe to take with ATTUNE_JWT_ISSUER and ATTUNE_JWT_AUDIENCE set: otherwise one that "
            "was made for another service would open this one."
        )
    keys: KeySource = (
        SharedSecret(settings.jwt_secret.get_secret_value())
        if settings.jwt_secret is not None
        else PublicKeys(_checked_place(settings.jwt_jwks or ""))
    )
    return TokenVerifier(
        keys,
        _checked_algorithms(settings),
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_user_claim,
        settings.jwt_admin_scope,
    )


def _checked_algorithms(settings: Settings) -> list[str]:
    shared = settings.jwt_secret is not None
    allowed = {"HS256", "HS384", "HS512"} if shared else {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    allowed |= set() if shared else {"ES256", "ES384", "ES512", "EdDSA"}
    chosen = settings.jwt_algorithms or (["HS256"] if shared else ["RS256", "ES256"])
    if wrong := [name for name in chosen if name not in allowed]:
        raise SettingsError(
            f"ATTUNE_JWT_ALGORITHMS names {', '.join(wrong)}: expected one of {', '.join(sorted(allowed))}."
        )
    return chosen


def _checked_place(place: str) -> str:
    parts = urlsplit(place)
    if "://" in place and parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.netloc)):
        raise SettingsError(f"ATTUNE_JWT_JWKS is {place!r}: expected an https address, or the path of a file.")
    return place
