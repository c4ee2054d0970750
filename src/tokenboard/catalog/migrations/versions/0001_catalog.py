"""The first tables: apps, titles, accounts, keys, audit, revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the three counters at zero."""
    revisions = op.create_table(
        "revisions",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revisions"),
    )
    op.bulk_insert(revisions, [{"name": name, "value": 0} for name in ("apps", "keys", "writes")])
    op.create_table(
        "apps",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("header_title", sa.Text(), nullable=True),
        sa.Column("pinned_name", sa.Text(), nullable=True),
        sa.Column("header_categories", sa.Text(), nullable=False),
        sa.Column("pinned_categories", sa.Text(), nullable=True),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("canonical_id", sa.Integer(), nullable=True),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_key_id", sa.BigInteger(), nullable=False),
        sa.Column("created_day", sa.Integer(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_apps"),
        sa.UniqueConstraint("identity", name="uq_apps_identity"),
        sa.ForeignKeyConstraint(["canonical_id"], ["apps.id"], name="fk_apps_canonical_id"),
        sa.CheckConstraint("visibility IN ('public', 'hidden', 'private')", name=op.f("ck_apps_visibility")),
        sa.CheckConstraint("id > 0", name=op.f("ck_apps_id")),
        sa.CheckConstraint("canonical_id <> id", name=op.f("ck_apps_canonical")),
    )
    op.create_index("ix_apps_url", "apps", ["url"])
    op.create_index("ix_apps_canonical_id", "apps", ["canonical_id"])
    op.create_index("ix_apps_revision", "apps", ["revision"])
    op.create_index("ix_apps_created_day_created_key_id", "apps", ["created_day", "created_key_id"])
    op.create_table(
        "app_titles",
        sa.Column("app_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("app_id", "title", name="pk_app_titles"),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name="fk_app_titles_app_id"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("hint", sa.String(32), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_keys_account_id"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("field", sa.String(16), nullable=False),
        sa.Column("app_id", sa.Integer(), nullable=True),
        sa.Column("key_id", sa.Integer(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.Column("undone_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name="fk_audit_app_id"),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name="fk_audit_key_id"),
        sa.ForeignKeyConstraint(["undoes"], ["audit.id"], name="fk_audit_undoes"),
        sa.ForeignKeyConstraint(["undone_by"], ["audit.id"], name="fk_audit_undone_by"),
    )
    op.create_index("ix_audit_app_id_field_id", "audit", ["app_id", "field", "id"])
