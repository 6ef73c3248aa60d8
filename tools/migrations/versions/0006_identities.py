"""Which accounts on other doorways are the same person, and what doorways remember of events and threads."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "identity_links",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("into_user", sa.String(200), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_links"),
        sa.UniqueConstraint("user_id", name="uq_identity_links_user_id"),
    )
    op.create_index("ix_identity_links_into_user", "identity_links", ["into_user"])
    op.create_table(
        "link_codes",
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_link_codes"),
    )
    op.create_index("ix_link_codes_user_id", "link_codes", ["user_id"])
    op.create_table(
        "link_attempts",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link_attempts"),
    )
    op.create_index("ix_link_attempts_user_id_kind_at", "link_attempts", ["user_id", "kind", "at"])
    op.create_table(
        "row_origins",
        sa.Column("table_name", sa.String(60), nullable=False),
        sa.Column("row_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "row_id", name="pk_row_origins"),
    )
    op.create_index("ix_row_origins_user_id", "row_origins", ["user_id"])
    op.create_table(
        "delivered_events",
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("claim", sa.String(64), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("served", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_delivered_events"),
    )
    op.create_index("ix_delivered_events_claimed_at", "delivered_events", ["claimed_at"])
    op.create_table(
        "doorway_threads",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("thread", sa.String(300), nullable=False),
        sa.Column("conversation_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("spoken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_doorway_threads"),
        sa.UniqueConstraint("conversation_id", name="uq_doorway_threads_conversation_id"),
    )
    op.create_index("ix_doorway_threads_thread_spoken_at", "doorway_threads", ["thread", "spoken_at"])
    op.create_index("ix_doorway_threads_user_id", "doorway_threads", ["user_id"])


def downgrade() -> None:
    for table in (
        "doorway_threads",
        "delivered_events",
        "row_origins",
        "link_attempts",
        "link_codes",
        "identity_links",
    ):
        op.drop_table(table)
