"""Predictions with their outcomes, and hand-offs to people."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("message_id", sa.String(64)),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("age", sa.Float(), nullable=False),
        sa.Column("heads", sa.JSON(), nullable=False),
        sa.Column("features", sa.JSON(), nullable=False),
        sa.Column("question_key", sa.Text(), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("action_without", sa.String(40), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("engagement", sa.Float()),
        sa.Column("risk", sa.Float()),
        sa.Column("engaged", sa.Integer()),
        sa.Column("at_risk", sa.Integer()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("settled_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
    )
    op.create_index("ix_predictions_user_id_created_at", "predictions", ["user_id", "created_at"])
    op.create_index("ix_predictions_settled_at_created_at", "predictions", ["settled_at", "created_at"])
    op.create_table(
        "user_attributes",
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_attributes"),
    )
    op.create_table(
        "handoffs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(200), nullable=False),
        sa.Column("conversation_id", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(64)),
        sa.Column("queue", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("ticket", sa.String(200)),
        sa.Column("packet", sa.JSON(), nullable=False),
        sa.Column("failure", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_handoffs"),
    )
    op.create_index("ix_handoffs_user_id_created_at", "handoffs", ["user_id", "created_at"])
    op.create_index("ix_handoffs_state_created_at", "handoffs", ["state", "created_at"])


def downgrade() -> None:
    op.drop_table("handoffs")
    op.drop_table("user_attributes")
    op.drop_table("predictions")
