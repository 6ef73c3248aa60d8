"""The tables of the predictor: what was foreseen, from what and what came of it; and what is known of users by file."""

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, String, Table, Text

from tools.database import UtcDateTime, metadata

SERIAL = BigInteger().with_variant(Integer, "sqlite")

predictions = Table(
    "predictions",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("user_id", String(200), nullable=False),
    Column("message_id", String(64)),
    Column("source", String(20), nullable=False),
    Column("version", String(40), nullable=False),
    Column("age", Float, nullable=False),
    Column("heads", JSON, nullable=False),
    Column("features", JSON, nullable=False),
    Column("question_key", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("action_without", String(40), nullable=False),
    Column("score", Float),
    Column("engagement", Float),
    Column("risk", Float),
    Column("engaged", Integer),
    Column("at_risk", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Index(None, "user_id", "created_at"),
    Index(None, "settled_at", "created_at"),
)

user_attributes = Table(
    "user_attributes",
    metadata,
    Column("user_id", String(200), primary_key=True),
    Column("attributes", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
