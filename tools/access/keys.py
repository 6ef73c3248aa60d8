"""API keys: made once, shown once, kept only as a digest.

A key is `attune_<id>_<secret>`: 48 bits that name it and 256 random bits that prove it. The secret is as random as any
key of a cipher, so one SHA-256 of it is as good as a slow password hash, and costs a request nothing.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge_base.errors import AttuneError
from tools.access.tables import api_keys
from tools.database import now

Scope = Literal["user", "admin", "trusted-proxy"]
SCOPES: Final[frozenset[str]] = frozenset(get_args(Scope))
"""user: acts for one user. admin: for anyone, and sees the metrics. trusted-proxy: says in a header for whom."""

_KEY = re.compile(r"attune_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class KeyRejected(AttuneError):
    """A key cannot be made or revoked as asked; the message says what to change."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key: everything but its secret."""

    id: str
    name: str
    user_id: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def usable(self, at: datetime) -> bool:
        """Whether it opens anything at this time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class KeyStore:
    """API keys in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create(
        self, user_id: str, *, name: str = "", scopes: frozenset[str] = frozenset({"user"}), days: int | None = None
    ) -> tuple[ApiKey, str]:
        """A new key and the text that the caller presents, which is not kept: it can be shown only now.

        Raises:
            KeyRejected: a scope that does not exist, or a user id that no request could carry.
        """
        _check(user_id, scopes)
        made = now()
        key = ApiKey(
            id=secrets.token_hex(6),
            name=name,
            user_id=user_id,
            scopes=scopes,
            created_at=made,
            expires_at=None if days is None else made + timedelta(days=days),
        )
        secret = secrets.token_urlsafe(32)
        async with self._engine.begin() as connection:
            await connection.execute(insert(api_keys).values(_row(key) | {"digest": _digest(secret)}))
        return key, f"attune_{key.id}_{secret}"

    async def find(self, presented: str) -> ApiKey | None:
        """The key that this text proves, None for anything else: unknown, altered, expired or revoked."""
        parts = _KEY.fullmatch(presented)
        if parts is None:
            return None
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(api_keys).where(api_keys.c.id == parts[1]))).mappings().first()
        if row is None or not hmac.compare_digest(row["digest"], _digest(parts[2])):
            return None
        key = _key(row)
        return key if key.usable(now()) else None

    async def all(self) -> list[ApiKey]:
        """Every key, the latest first; revoked ones too."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(api_keys).order_by(api_keys.c.created_at.desc()))).mappings()
            return [_key(row) for row in rows]

    async def revoke(self, key_id: str) -> None:
        """End a key at once and for good.

        Raises:
            KeyRejected: there is no such key, or it was revoked before.
        """
        statement = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        async with self._engine.begin() as connection:
            if (await connection.execute(statement.values(revoked_at=now()))).rowcount == 0:
                raise KeyRejected(f"There is no usable key {key_id!r}; `python -m ui keys list` shows the ids.")


def _check(user_id: str, scopes: frozenset[str]) -> None:
    if unknown := sorted(scopes - SCOPES):
        raise KeyRejected(f"Expected scopes out of {', '.join(sorted(SCOPES))}; got {', '.join(unknown)}.")
    if not scopes:
        raise KeyRejected("Expected at least one scope: user, admin or trusted-proxy.")
    if not (0 < len(user_id) <= 200) or not user_id.isprintable() or not user_id.strip():
        raise KeyRejected(f"Expected a user id of 1 to 200 printable characters, got {user_id[:40]!r}.")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "user_id": key.user_id,
        "scopes": " ".join(sorted(key.scopes)),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _key(row: Mapping[Any, Any]) -> ApiKey:
    fields = {name: value for name, value in row.items() if name not in {"digest", "scopes"}}
    return ApiKey(**fields, scopes=frozenset(row["scopes"].split()))
