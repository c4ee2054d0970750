r"""Which apps there are, what they are called, who may use the gateway, and who changed what.

    drain ─▶ observe ──────▶ app state (arithmetic) ─┐
    operator ─▶ actions, folds ─▶ audit               ├─▶ engine: one database, SQLite or PostgreSQL
             └▶ keys ───────────▶ audit               ┘
    rankings, api ◀─ changes since a revision ◀─ apps

The only part that speaks SQLAlchemy and Alembic. Readers poll ``Catalog.revision`` and keep a read model of their own.
"""

from tokenboard.catalog.app import App, AppPage, CatalogChanges, TitleVariant, Visibility
from tokenboard.catalog.app_state import Observation, Observed, TitlePolicy
from tokenboard.catalog.audit import AuditEntry, AuditPage, Field
from tokenboard.catalog.backend import ServerFacts, ServerOptions
from tokenboard.catalog.catalog import Catalog
from tokenboard.catalog.copying import NotEmpty
from tokenboard.catalog.duties import Duty
from tokenboard.catalog.errors import (
    AmbiguousApp,
    CatalogError,
    CatalogFault,
    CatalogRefused,
    CatalogUnavailable,
    FoldRefused,
    InvalidCatalogUrl,
    InvalidValue,
    KeyRevoked,
    LimitReached,
    MergeRefused,
    SchemaOutdated,
    SchemaUnknown,
    UndoRefused,
    UnfitServer,
    UnknownApp,
    UnknownEntry,
    UnknownKey,
)
from tokenboard.catalog.folds import Fold, Folded
from tokenboard.catalog.keys import Account, NewKey
from tokenboard.catalog.migrate import Phase, SchemaState
from tokenboard.catalog.numbering import Marks, MarksFile
from tokenboard.catalog.observations import OBSERVATIONS_LIMIT

__all__ = [
    "OBSERVATIONS_LIMIT",
    "Account",
    "AmbiguousApp",
    "App",
    "AppPage",
    "AuditEntry",
    "AuditPage",
    "Catalog",
    "CatalogChanges",
    "CatalogError",
    "CatalogFault",
    "CatalogRefused",
    "CatalogUnavailable",
    "Duty",
    "Field",
    "Fold",
    "FoldRefused",
    "Folded",
    "InvalidCatalogUrl",
    "InvalidValue",
    "KeyRevoked",
    "LimitReached",
    "Marks",
    "MarksFile",
    "MergeRefused",
    "NewKey",
    "NotEmpty",
    "Observation",
    "Observed",
    "Phase",
    "SchemaOutdated",
    "SchemaState",
    "SchemaUnknown",
    "ServerFacts",
    "ServerOptions",
    "TitlePolicy",
    "TitleVariant",
    "UndoRefused",
    "UnfitServer",
    "UnknownApp",
    "UnknownEntry",
    "UnknownKey",
    "Visibility",
]
