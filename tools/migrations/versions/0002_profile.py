"""What is known of each user, and the evidence for it; the words that users and articles are tagged with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("learning", sa.Boolean(), nullable=False),
        sa.Column(
            "corrected", sa.Boolean(), nullable=False, comment="Ever muted or undid something: else nothing to look up"
        ),
        sa.Column("interactions", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_profiles"),
    )
    op.create_table(
        "interactions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("type", sa.String(20), nullable=False),
        sa.Column("item_id", sa.String(200)),
        sa.Column("rating", sa.Float()),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_interactions"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="uq_interactions_user_id_idempotency_key"),
    )
    op.create_index("ix_interactions_user_id_type_id", "interactions", ["user_id", "type", "id"])
    op.create_index("ix_interactions_user_id_id", "interactions", ["user_id", "id"])
    op.create_table(
        "evidence",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("facet", sa.String(100), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("interaction_id", sa.BigInteger()),
        sa.Column("message_id", sa.String(200)),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("words", sa.String(64)),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retracted_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
        sa.UniqueConstraint("user_id", "fingerprint", name="uq_evidence_user_id_fingerprint"),
    )
    op.create_index("ix_evidence_user_id_facet_value", "evidence", ["user_id", "facet", "value"])
    op.create_index("ix_evidence_user_id_retracted_at", "evidence", ["user_id", "retracted_at"])
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("facet", sa.String(100), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", sa.Integer(), nullable=False),
        sa.Column(
            "seen_at",
            sa.Float(),
            nullable=False,
            comment="Seconds since 1970: fading is arithmetic, the same in any SQL",
        ),
        sa.PrimaryKeyConstraint("user_id", "facet", "value", name="pk_preferences"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "user_tags",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sa.String(600), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("interactions", sa.Integer(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_tags"),
        sa.UniqueConstraint("user_id", "name_key", name="uq_user_tags_user_id_name_key"),
    )
    op.create_table(
        "facts",
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("slot", sa.String(40), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("quote", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.BigInteger(), nullable=False),
        sa.Column("told_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "slot", name="pk_facts"),
    )
    op.create_table(
        "mutes",
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("facet", sa.String(100), nullable=False),
        sa.Column("value_key", sa.String(600), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "facet", "value_key", name="pk_mutes"),
    )
    op.create_table(
        "taxonomy",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sa.String(600), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("examples", sa.JSON(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_taxonomy"),
        sa.UniqueConstraint("name_key", name="uq_taxonomy_name_key"),
    )
    op.create_table(
        "taxonomy_links",
        sa.Column("entry_id", SERIAL, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("other_id", SERIAL, nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["taxonomy.id"], name="fk_taxonomy_links_entry_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["other_id"], ["taxonomy.id"], name="fk_taxonomy_links_other_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("entry_id", "kind", "other_id", name="pk_taxonomy_links"),
    )


def downgrade() -> None:
    for table in (
        "taxonomy_links",
        "taxonomy",
        "mutes",
        "facts",
        "user_tags",
        "preferences",
        "evidence",
        "interactions",
        "profiles",
    ):
        op.drop_table(table)
