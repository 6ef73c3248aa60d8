"""The tables of the recommender: the catalogue, and what was suggested to whom."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from tools.database import UtcDateTime, metadata

SERIAL = BigInteger().with_variant(Integer, "sqlite")

items = Table(
    "items",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("title", String(500), nullable=False),
    Column("text", Text, nullable=False),
    Column("url", Text),
    Column("category", String(100), nullable=False),
    Column("facets", JSON, nullable=False),
    Column("published", UtcDateTime),
    Column("expires", UtcDateTime),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("popularity", Float, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("superseded_by", String(200)),
    Column("source", String(40), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "source"),
    Index(None, "updated_at"),
)

shown = Table(
    "shown",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("list_id", String(64), nullable=False),
    Column("user_id", String(200), nullable=False),
    Column("item_id", String(200), nullable=False),
    Column("position", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("probability", Float, nullable=False),
    Column("place", String(40), nullable=False),
    Column("outcome", String(20)),
    Column("shown_at", UtcDateTime, nullable=False),
    Column("outcome_at", UtcDateTime),
    Index(None, "user_id", "item_id", "id"),
    Index(None, "user_id", "id"),
    Index(None, "list_id"),
)
