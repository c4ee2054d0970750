"""The highest ids ever given out, and which board the catalog belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MARKS = (("app_id", "apps"), ("key_id", "keys"), ("account_id", "accounts"))


def upgrade() -> None:
    """Begin each mark at the largest id there is."""
    for name, table in _MARKS:
        op.execute(
            f"INSERT INTO revisions (name, value) SELECT '{name}', coalesce(max(id), 0) FROM {table}"  # noqa: S608 - our own names
        )
    op.create_table(
        "board",
        sa.Column("id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_board"),
    )
