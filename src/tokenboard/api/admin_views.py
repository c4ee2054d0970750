"""What the Admin API shows and takes: FastAPI checks bodies by these models and describes them in OpenAPI."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt

from tokenboard.attribution import CATEGORIES, MAX_APP_CATEGORIES
from tokenboard.catalog import App, AuditEntry, Fold, Folded, NewKey, TitleVariant, Visibility
from tokenboard.keys import Key, Scope

T = TypeVar("T")

MAX_TEXT = 2_048
"""Characters of a text in a body, at most; the catalog's own limits are narrower for names and labels."""


def _encodable(text: str) -> str:
    """Refuse what JSON can write as an escape and no store can keep."""
    if any("\ud800" <= char <= "\udfff" or char == "\0" for char in text):
        raise ValueError("holds a character that is none: NUL, or half of a surrogate pair")
    return text


Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_encodable)]
AppRef = Annotated[StrictInt | Text, Field(description="The app: its id, or any URL of it.", examples=[2])]
Category = Annotated[str, Field(max_length=MAX_TEXT, json_schema_extra={"enum": sorted(CATEGORIES)})]


class Data(BaseModel, Generic[T]):
    """One thing."""

    data: T


class PageMeta(BaseModel):
    """Where a page stands: ``total`` counts the whole list."""

    total: int
    limit: int
    offset: int


class Page(BaseModel, Generic[T]):
    """A page of a list."""

    data: list[T]
    meta: PageMeta


class AdminApp(BaseModel):
    """An app as the catalog has it, hidden ones and aliases included.

    ``canonical_id`` is the app it is an alias of; ``folded`` says that the fold of its host made it one, and
    ``alias_pinned`` that an operator decided, also that it is none. ``categories`` are its own.
    """

    id: int
    url: str
    name: str
    name_pinned: bool
    visibility: Visibility
    canonical_id: int | None
    alias_pinned: bool
    folded: bool
    categories: list[str]
    categories_pinned: bool
    first_seen: datetime

    @classmethod
    def of(cls, app: App) -> "AdminApp":
        """Return what is shown of an app."""
        return cls(**_facts(app))


class AdminTitle(BaseModel):
    """A title under which an app was seen, first and last by the events' own time."""

    title: str
    first_seen: datetime
    last_seen: datetime


class AdminEntry(BaseModel):
    """One entry of the audit log. ``before`` and ``after`` are equal when it changed nothing."""

    id: int
    at: datetime
    actor: str
    action: str
    field: str
    app_id: int | None
    key_id: int | None
    before: dict[str, Any]
    after: dict[str, Any]
    undoes: int | None
    undone_by: int | None

    @classmethod
    def of(cls, entry: AuditEntry) -> "AdminEntry":
        """Return what is shown of an entry."""
        return cls(
            id=entry.id,
            at=moment(entry.at_ms),
            actor=entry.actor,
            action=entry.action,
            field=str(entry.field),
            app_id=entry.app_id,
            key_id=entry.key_id,
            before=dict(entry.before),
            after=dict(entry.after),
            undoes=entry.undoes,
            undone_by=entry.undone_by,
        )


class AdminAppDetail(AdminApp):
    """All that is known of an app.

    ``root_id`` is the app its usage counts for, itself unless it is an alias; ``listed`` whether rankings may show it;
    ``effective_categories`` its own and then those of its aliases, none for an alias. ``aliases`` are the first 100 of
    ``aliases_total`` apps that lead to it, ``log`` the latest 50 of ``log_total`` entries about it.
    """

    root_id: int
    listed: bool
    effective_categories: list[str]
    titles: list[AdminTitle]
    aliases: list[AdminApp]
    aliases_total: int
    log: list[AdminEntry]
    log_total: int

    @classmethod
    def known(
        cls,
        app: App,
        *,
        root_id: int,
        listed: bool,
        effective_categories: Iterable[str],
        titles: Iterable[TitleVariant],
        aliases: Iterable[App],
        aliases_total: int,
        log: Iterable[AuditEntry],
        log_total: int,
    ) -> "AdminAppDetail":
        """Return what is shown of an app and its surroundings."""
        return cls(
            **_facts(app),
            root_id=root_id,
            listed=listed,
            effective_categories=list(effective_categories),
            titles=[
                AdminTitle(title=each.title, first_seen=moment(each.first_seen_ms), last_seen=moment(each.last_seen_ms))
                for each in titles
            ],
            aliases=[AdminApp.of(alias) for alias in aliases],
            aliases_total=aliases_total,
            log=[AdminEntry.of(entry) for entry in log],
            log_total=log_total,
        )


class AdminChange(BaseModel):
    """What a change came to: its entry in the log, by which it is undone, and the entry's app as it is now."""

    entry: AdminEntry
    app: AdminApp


class AdminFold(BaseModel):
    """A folded host: ``apps`` is how many apps its rule moves at present to ``canonical_id``."""

    host: str
    canonical_id: int
    apps: int

    @classmethod
    def of(cls, fold: Fold) -> "AdminFold":
        """Return what is shown of a fold."""
        return cls(host=fold.host, canonical_id=fold.canonical_id, apps=fold.apps)


class AdminFolded(BaseModel):
    """What a fold or unfold came to: how many apps it moved, and the first 1,000 of these as they are now."""

    entry: AdminEntry
    total: int
    apps: list[AdminApp]

    @classmethod
    def of(cls, folded: Folded) -> "AdminFolded":
        """Return what is shown of what was folded."""
        return cls(
            entry=AdminEntry.of(folded.entry), total=folded.total, apps=[AdminApp.of(app) for app in folded.apps]
        )


class AdminKey(BaseModel):
    """A key, without its secret: ``hint`` is the secret's first and last characters."""

    id: int
    label: str
    account: str
    scopes: list[Scope]
    hint: str
    created: datetime
    revoked: datetime | None

    @classmethod
    def of(cls, key: Key) -> "AdminKey":
        """Return what is shown of a key."""
        return cls(**_key_facts(key))


class AdminNewKey(AdminKey):
    """A key just made; ``key`` is its secret, shown this once and stored nowhere."""

    key: str

    @classmethod
    def made(cls, new: NewKey) -> "AdminNewKey":
        """Return what is shown of a new key."""
        return cls(key=new.secret, **_key_facts(new.key))


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NameBody(_Body):
    """The name to pin, 1 to 100 characters once cleaned."""

    name: Annotated[Text, Field(examples=["Night Owl"])]


class VisibilityBody(_Body):
    """Who may see the app."""

    visibility: Visibility


class CategoriesBody(_Body):
    """The categories to pin, in this order; none is allowed."""

    categories: Annotated[list[Category], Field(max_length=MAX_APP_CATEGORIES)]


class CanonicalBody(_Body):
    """The app that the alias's usage is to count for."""

    into: AppRef


class FoldBody(_Body):
    """The host, alone or as any URL of it, and the app to fold it into: by default the one at its root."""

    host: Annotated[Text, Field(examples=["example.com"])]
    into: AppRef | None = None


class KeyBody(_Body):
    """A key to make. Without an account it belongs to ``default``."""

    label: Annotated[Text, Field(examples=["ci"])]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))] = [Scope.INFERENCE, Scope.DATA]
    account: Text = "default"


def moment(epoch_ms: int) -> datetime:
    """Return a time as a datetime in UTC, which JSON shows as RFC 3339."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def _facts(app: App) -> dict[str, Any]:
    return {
        "id": app.id,
        "url": app.url,
        "name": app.name,
        "name_pinned": app.pinned,
        "visibility": app.visibility,
        "canonical_id": app.canonical_id,
        "alias_pinned": app.alias_pinned,
        "folded": app.canonical_id is not None and not app.alias_pinned,
        "categories": list(app.categories),
        "categories_pinned": app.categories_pinned,
        "first_seen": moment(app.first_seen_ms),
    }


def _key_facts(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "label": key.label,
        "account": key.account,
        "scopes": [scope for scope in Scope if scope in key.scopes],
        "hint": key.hint,
        "created": moment(key.created_ms),
        "revoked": None if key.revoked_ms is None else moment(key.revoked_ms),
    }
