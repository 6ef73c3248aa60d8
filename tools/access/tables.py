"""The tables of API keys and of kept answers."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from tools.database import UtcDateTime, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("user_id", String(200), nullable=False),
    Column("scopes", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Index(None, "user_id"),
)

idempotent_replies = Table(
    "idempotent_replies",
    metadata,
    Column("caller", String(240), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("holder", String(32), nullable=False),
    Column("status", Integer),
    Column("content_type", String(200)),
    Column("body", LargeBinary),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("user_id", String(200)),
    Index(None, "expires_at"),
    Index(None, "user_id"),
)
