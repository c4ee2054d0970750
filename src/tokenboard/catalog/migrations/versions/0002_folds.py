"""Folds: a rule for all paths of a host, and which aliases an operator placed himself."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the rules' table; every alias there is was placed by an operator."""
    op.create_table(
        "folds",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("canonical_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_folds"),
        sa.UniqueConstraint("host", name="uq_folds_host"),
        sa.ForeignKeyConstraint(["canonical_id"], ["apps.id"], name="fk_folds_canonical_id"),
    )
    with op.batch_alter_table("apps") as apps:
        apps.add_column(sa.Column("alias_pinned", sa.Boolean(), nullable=True))
    op.execute("UPDATE apps SET alias_pinned = (canonical_id IS NOT NULL)")
    with op.batch_alter_table("apps") as apps:
        apps.alter_column("alias_pinned", existing_type=sa.Boolean(), nullable=False)
    with op.batch_alter_table("audit") as audit:
        audit.add_column(sa.Column("fold_id", sa.Integer(), nullable=True))
        audit.create_foreign_key("fk_audit_fold_id", "folds", ["fold_id"], ["id"])
        audit.create_index("ix_audit_fold_id_id", ["fold_id", "id"])
