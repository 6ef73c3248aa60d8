"""When a hand-off that was not sent is tried again. Those that wait already are due at once."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("handoffs", sa.Column("due_at", sa.DateTime(timezone=True)))
    op.drop_index("ix_handoffs_state_created_at", "handoffs")
    op.create_index("ix_handoffs_due_at", "handoffs", ["due_at"])
    op.execute("UPDATE handoffs SET due_at = updated_at WHERE state IN ('waiting', 'failed')")


def downgrade() -> None:
    op.drop_index("ix_handoffs_due_at", "handoffs")
    op.create_index("ix_handoffs_state_created_at", "handoffs", ["state", "created_at"])
    op.drop_column("handoffs", "due_at")
