"""The catalogue, and what was suggested to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("category", sa.String(100), nullable=False),
        sa.Column("facets", sa.JSON(), nullable=False),
        sa.Column("published", TIME),
        sa.Column("expires", TIME),
        sa.Column("latitude", sa.Float()),
        sa.Column("longitude", sa.Float()),
        sa.Column("popularity", sa.Float(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("superseded_by", sa.String(200)),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
    )
    op.create_index("ix_items_source", "items", ["source"])
    op.create_index("ix_items_updated_at", "items", ["updated_at"])
    op.create_table(
        "shown",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("list_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("outcome", sa.String(20)),
        sa.Column("shown_at", TIME, nullable=False),
        sa.Column("outcome_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_shown"),
    )
    op.create_index("ix_shown_user_id_item_id_id", "shown", ["user_id", "item_id", "id"])
    op.create_index("ix_shown_user_id_id", "shown", ["user_id", "id"])
    op.create_index("ix_shown_list_id", "shown", ["list_id"])


def downgrade() -> None:
    op.drop_table("shown")
    op.drop_table("items")
