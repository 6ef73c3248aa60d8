"""Whom a kept answer is about, so that it goes with them. Of those that are there already, the caller's own say it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("idempotent_replies", sa.Column("user_id", sa.String(200)))
    op.create_index("ix_idempotent_replies_user_id", "idempotent_replies", ["user_id"])
    op.execute("UPDATE idempotent_replies SET user_id = substr(caller, 6) WHERE caller LIKE 'user:%'")


def downgrade() -> None:
    op.drop_index("ix_idempotent_replies_user_id", "idempotent_replies")
    op.drop_column("idempotent_replies", "user_id")
