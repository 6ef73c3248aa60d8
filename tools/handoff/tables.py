"""The embedded queue: a row per hand-off; `ticket` is what the user was told."""

from sqlalchemy import JSON, Column, Index, String, Table, Text

from tools.database import UtcDateTime, metadata

handoffs = Table(
    "handoffs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(200), nullable=False),
    Column("conversation_id", String(64), nullable=False),
    Column("message_id", String(64)),
    Column("queue", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("ticket", String(200)),
    Column("packet", JSON, nullable=False),
    Column("failure", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Index(None, "user_id", "created_at"),
    Index(None, "due_at"),
)
