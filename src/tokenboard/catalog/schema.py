"""The tables. Dialect-neutral: the same on SQLite and PostgreSQL; migrations/ brings a database here step by step.

Ids are given out by the catalog itself (largest + 1 inside a writing transaction), never by a sequence: a sequence
leaves gaps after a rollback, and app ids index arrays. Rows of apps, keys, folds and audit are never deleted; ids that
other stores hold are numbered above the highest ever given out (`numbering`). Times are UTC epoch milliseconds. Sets of
categories and scopes are comma lists in order, empty text for the empty set.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""Counters: ``apps`` and ``keys`` grow with every visible change, ``writes`` with every change of apps at all. The row
of ``writes`` is the writers' lock where the database itself lets several write at once. ``app_id``, ``key_id`` and
``account_id`` are the highest ids ever given out."""

BOARD = Table("board", METADATA, Column("id", String(64), primary_key=True))
"""At most one row: which board the catalog belongs to."""

DUTIES = Table(
    "duties",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""What one of several boards is to do, who does it, and a count that goes on while they live (`duties`)."""

APPS = Table(
    "apps",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("identity", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("header_title", Text),
    Column("pinned_name", Text),
    Column("header_categories", Text, nullable=False),
    Column("pinned_categories", Text),
    Column("visibility", String(16), nullable=False),
    Column("canonical_id", Integer, ForeignKey("apps.id"), index=True),
    Column("alias_pinned", Boolean, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("created_key_id", BigInteger, nullable=False),
    Column("created_day", Integer, nullable=False),
    Column("search", Text, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
    CheckConstraint("visibility IN ('public', 'hidden', 'private')", name="visibility"),
    CheckConstraint("id > 0", name="id"),
    CheckConstraint("canonical_id <> id", name="canonical"),
    Index(None, "created_day", "created_key_id"),
)
"""``name`` is what is shown (pinned, else by headers, else the URL); ``search`` is name and identity, case-folded.
``alias_pinned`` says that an operator decided on ``canonical_id``, null included; else the fold of the host does."""

APP_TITLES = Table(
    "app_titles",
    METADATA,
    Column("app_id", Integer, ForeignKey("apps.id"), primary_key=True, autoincrement=False),
    Column("title", Text, primary_key=True),
    Column("first_seen_ms", BigInteger, nullable=False),
    Column("last_seen_ms", BigInteger, nullable=False),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("account_id", Integer, ForeignKey("accounts.id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(32), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)
"""``digest`` is the SHA-256 of the secret in lower-case hexadecimal; the secret itself is stored nowhere."""

FOLDS = Table(
    "folds",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("host", Text, nullable=False, unique=True),
    Column("canonical_id", Integer, ForeignKey("apps.id")),
)
"""One row for each host that was ever folded: its URL without a path, and into which app, null when it is no more."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(32), nullable=False),
    Column("field", String(16), nullable=False),
    Column("app_id", Integer, ForeignKey("apps.id")),
    Column("key_id", Integer, ForeignKey("keys.id")),
    Column("fold_id", Integer, ForeignKey("folds.id")),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Column("undoes", Integer, ForeignKey("audit.id")),
    Column("undone_by", Integer, ForeignKey("audit.id")),
    Index(None, "app_id", "field", "id"),
    Index(None, "fold_id", "id"),
)
