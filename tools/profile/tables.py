"""The tables of profiles. `interactions` and `evidence` are what happened; preferences, tags and facts are what follows
from the evidence, kept for reading and made again by a rebuild.

`profiles` has one row a user, which every write takes first: writes of one user come one after the other, so that the
evidence has the order in which it counted.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tools.database import UtcDateTime, metadata

USER = String(200)
SERIAL = BigInteger().with_variant(Integer, "sqlite")

profiles = Table(
    "profiles",
    metadata,
    Column("user_id", USER, primary_key=True),
    Column("learning", Boolean, nullable=False),
    Column("corrected", Boolean, nullable=False, comment="Ever muted or undid something: else nothing to look up"),
    Column("interactions", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

interactions = Table(
    "interactions",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("user_id", USER, nullable=False),
    Column("type", String(20), nullable=False),
    Column("item_id", String(200)),
    Column("rating", Float),
    Column("metadata", JSON, nullable=False),
    Column("keywords", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("idempotency_key", String(200), nullable=False),
    UniqueConstraint("user_id", "idempotency_key"),
    Index(None, "user_id", "type", "id"),
    Index(None, "user_id", "id"),
)

# No foreign key to interactions: it would need an index of its own only to make forgetting as fast as it is without.
evidence = Table(
    "evidence",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("user_id", USER, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("facet", String(100), nullable=False),
    Column("value", String(200), nullable=False),
    Column("weight", Float, nullable=False),
    Column("quote", Text, nullable=False),
    Column("source", String(20), nullable=False),
    Column("interaction_id", BigInteger),
    Column("message_id", String(200)),
    Column("fingerprint", String(64), nullable=False),
    Column("words", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retracted_at", UtcDateTime),
    UniqueConstraint("user_id", "fingerprint"),
    Index(None, "user_id", "facet", "value"),
    Index(None, "user_id", "retracted_at"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("user_id", USER, primary_key=True),
    Column("facet", String(100), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("score", Float, nullable=False),
    Column("evidence", Integer, nullable=False),
    Column("seen_at", Float, nullable=False, comment="Seconds since 1970: fading is arithmetic, the same in any SQL"),
    sqlite_with_rowid=False,  # a user's rows lie side by side
)

user_tags = Table(
    "user_tags",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("user_id", USER, nullable=False),
    Column("name", String(200), nullable=False),
    Column("name_key", String(600), nullable=False),
    Column("manual", Boolean, nullable=False),
    Column("source", String(20), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("interactions", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("user_id", "name_key"),
)

facts = Table(
    "facts",
    metadata,
    Column("user_id", USER, primary_key=True),
    Column("slot", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
    Column("quote", Text, nullable=False),
    Column("evidence_id", BigInteger, nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
)

mutes = Table(
    "mutes",
    metadata,
    Column("user_id", USER, primary_key=True),
    Column("facet", String(100), primary_key=True),
    Column("value_key", String(600), primary_key=True),
    Column("value", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

taxonomy = Table(
    "taxonomy",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("name_key", String(600), nullable=False),
    Column("category", String(20), nullable=False),
    Column("description", Text, nullable=False),
    Column("examples", JSON, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("name_key"),
)

taxonomy_links = Table(
    "taxonomy_links",
    metadata,
    Column("entry_id", ForeignKey("taxonomy.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("other_id", ForeignKey("taxonomy.id", ondelete="CASCADE"), primary_key=True),
)
