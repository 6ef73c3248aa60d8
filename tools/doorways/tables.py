"""The tables of doorways: events that were delivered, and the conversations that a thread is made of."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, UniqueConstraint

from tools.database import UtcDateTime, metadata

SERIAL = BigInteger().with_variant(Integer, "sqlite")

delivered_events = Table(
    "delivered_events",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("claim", String(64), nullable=False),
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("served", Boolean, nullable=False),
    Index(None, "claimed_at"),
)

doorway_threads = Table(
    "doorway_threads",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("thread", String(300), nullable=False),
    Column("conversation_id", String(64), nullable=False),
    Column("user_id", String(200), nullable=False),
    Column("spoken_at", UtcDateTime, nullable=False),
    UniqueConstraint("conversation_id"),
    Index(None, "thread", "spoken_at"),
    Index(None, "user_id"),
)
