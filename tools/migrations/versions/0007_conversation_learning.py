"""Whether a conversation may teach anything about its user, and whether an exchange was answered."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("learning", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("exchanges", sa.Column("answered", sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade() -> None:
    op.drop_column("exchanges", "answered")
    op.drop_column("conversations", "learning")
