"""The tables of identities. A link says that `user_id` is now `into_user`; following links leads to the person's id.

`row_origins` remembers whose each row was before it became the person's, so that a link can be undone.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, UniqueConstraint

from tools.database import UtcDateTime, metadata

SERIAL = BigInteger().with_variant(Integer, "sqlite")

identity_links = Table(
    "identity_links",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(200), nullable=False),
    Column("into_user", String(200), nullable=False),
    Column("linked_at", UtcDateTime, nullable=False),
    UniqueConstraint("user_id"),
    Index(None, "into_user"),
)

link_codes = Table(
    "link_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("user_id", String(200), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "user_id"),
)

link_attempts = Table(
    "link_attempts",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("user_id", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index(None, "user_id", "kind", "at"),
)

row_origins = Table(
    "row_origins",
    metadata,
    Column("table_name", String(60), primary_key=True),
    Column("row_id", String(64), primary_key=True),
    Column("user_id", String(200), nullable=False),
    Index(None, "user_id"),
)
