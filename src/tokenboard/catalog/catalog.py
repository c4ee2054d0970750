"""The catalog: the one object through which the rest of the program reaches apps, keys and the audit log."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal, Self

import sqlalchemy as sa

from tokenboard.attribution import AppIdentity
from tokenboard.catalog import actions, apps, audit, copying, duties, folds, keys, migrate, numbering
from tokenboard.catalog.app import App, AppPage, CatalogChanges, TitleVariant, Visibility
from tokenboard.catalog.app_state import Observation, Observed, TitlePolicy
from tokenboard.catalog.audit import Act, AuditEntry, AuditPage
from tokenboard.catalog.backend import ServerFacts, ServerOptions
from tokenboard.catalog.duties import Duty
from tokenboard.catalog.engine import TIMEOUT_S, Database
from tokenboard.catalog.errors import CatalogUnavailable, UnknownApp
from tokenboard.catalog.folds import Fold, Folded
from tokenboard.catalog.keys import Account, NewKey
from tokenboard.catalog.label import clean_label
from tokenboard.catalog.migrate import Phase, SchemaState
from tokenboard.catalog.numbering import Marks, MarksFile
from tokenboard.catalog.observations import Observations
from tokenboard.catalog.schema import APPS, BOARD, KEYS
from tokenboard.keys import Key, Scope


def wall_clock_ms() -> int:
    """Return the time, UTC epoch ms."""
    return time.time_ns() // 1_000_000


class Catalog:
    """Apps, aliases, names, categories, visibility, accounts, keys and the audit log, in one database.

    Safe to use from several threads and several processes at once; every call is one transaction and blocks, so an
    event loop calls it from a thread, whichever it is.

    Every call may raise ``CatalogUnavailable`` (try again later), ``SchemaOutdated`` (migrate first) and
    ``CatalogFault`` (a damaged database); the docstrings name what else is raised, all of it ``CatalogError``.
    """

    def __init__(self, database: Database, observations: Observations, clock: Callable[[], int]) -> None:
        self._database = database
        self._observations = observations
        self._clock = clock

    @classmethod
    def open(
        cls,
        url: str,
        *,
        new_app_limit: int = 100,
        title_policy: Literal["latest", "first"] = "latest",
        clock: Callable[[], int] = wall_clock_ms,
        timeout_s: float = TIMEOUT_S,
        server: ServerOptions | None = None,
        marks: Path | None = None,
    ) -> Self:
        """Return the catalog at ``sqlite:///FILE`` or ``postgresql+psycopg://…``. Connects when first used.

        ``new_app_limit`` is how many apps a key may make in a UTC day, 0 for any number; ``clock`` gives UTC epoch ms.
        ``timeout_s`` is how long a call waits before it raises CatalogUnavailable; ``server`` is how a database server
        is reached.
        ``marks`` is the file that keeps the highest ids given out; without it only the catalog knows them.

        Raises:
            InvalidCatalogUrl: the URL names no database this program can use.

        """
        if new_app_limit < 0:
            raise ValueError("new_app_limit is negative")
        database = Database(url, timeout_s=timeout_s, server=server, marks=None if marks is None else MarksFile(marks))
        observations = Observations(database, new_app_limit=new_app_limit, policy=TitlePolicy(title_policy))
        return cls(database, observations, clock)

    def close(self) -> None:
        """Close the connections. The catalog is not used any more afterwards."""
        self._database.close()

    @property
    def on_server(self) -> bool:
        """Whether the database is a server's, which several boards may share."""
        return self._database.on_server

    def server(self) -> ServerFacts | None:
        """Return what the database server tells of itself; None when there is none."""
        return self._database.facts()

    def migrate(self, phase: Phase | None = None) -> list[str]:
        """Bring the database to this program's schema; return the migrations applied, oldest first.

        ``pre`` is safe while the older program runs, ``post`` when it does not any more. None is what a start does: all
        of a file, whose only board this is, and ``pre`` of a server, which others may share.

        Raises:
            SchemaUnknown: a newer program migrated it; nothing was changed.

        """
        return migrate.migrate(self._database, phase or ("pre" if self.on_server else "all"))

    def schema(self) -> SchemaState:
        """Return which migration the database is at and which this program needs."""
        return migrate.schema(self._database)

    def copy_to(self, target: "Catalog") -> dict[str, int]:
        """Copy everything, with its ids, to an empty database; return how many rows each table has.

        It is one transaction, compared before it is committed. Nobody may write this catalog meanwhile.

        Raises:
            NotEmpty: the target holds a catalog already.
            SchemaOutdated: this catalog has not the program's schema.

        """
        return copying.copy(self._database, target._database)

    def number_above(self, marks: Marks) -> None:
        """Give out no id up to these from now on: another store holds them. Writes the marks' file if there is none."""
        with self._database.writing() as connection:
            held = numbering.marks(connection)
            if held is not None and marks.above(held) != held:
                numbering.raise_to(connection, marks.above(held))
            self._database.note_marks(connection)

    def marks(self) -> Marks:
        """Return the highest ids that were given out, as the catalog itself knows them."""
        return self._database.read(lambda connection: numbering.marks(connection) or Marks())

    def unknown(self, app_ids: Collection[int], key_ids: Collection[int]) -> tuple[int, int]:
        """Return how many of these ids of apps, and of keys, it does not have; 0 stands for none."""
        with self._database.reading() as connection:
            apps_held = set(connection.execute(sa.select(APPS.c.id)).scalars())
            keys_held = set(connection.execute(sa.select(KEYS.c.id)).scalars())
        return len(set(app_ids) - apps_held - {0}), len(set(key_ids) - keys_held - {0})

    def board(self) -> str | None:
        """Return the id of the board that the catalog belongs to, None before one was set."""
        return self._database.read(lambda connection: connection.execute(sa.select(BOARD.c.id)).scalar())

    def join_board(self, board: str, *, instead_of: str | None) -> None:
        """Make the catalog one of this board's, if it still belongs to the one named, None: to none.

        Raises:
            CatalogUnavailable: another process has made it its board's meanwhile.

        """
        with self._database.writing() as connection:
            if connection.execute(sa.select(BOARD.c.id)).scalar() != instead_of:
                raise CatalogUnavailable(
                    "another process has just made the catalog its board's", hint="Start again, which finds it so."
                )
            connection.execute(sa.delete(BOARD))
            connection.execute(sa.insert(BOARD), {"id": board})

    def duty(self, name: str) -> Duty | None:
        """Return who holds a duty of the boards, None when nobody ever did."""
        return self._database.read(lambda connection: duties.look(connection, name))

    def claim_duty(self, name: str, holder: str, seen: Duty | None) -> Duty | None:
        """Hold a duty for one more beat, if it is still as it was seen; None when another was quicker."""
        return self._database.write(lambda connection: duties.claim(connection, name, holder, seen))

    def observe(self, observations: Sequence[Observation]) -> list[Observed]:
        """Take in up to 10,000 observations, in one transaction; return one answer each, in order.

        An identity not seen before becomes an app, unless its key has made ``new_app_limit`` apps on the UTC day of
        ``received_ms``: then the answer is id 0 and ``Reason.NEW_APP_LIMIT``, and the observation changes nothing. The
        apps of a batch are made before any of it is answered, so an identity that one key may not make, but another
        key of the same batch may, is answered with its id throughout.

        ``first_seen_ms`` becomes the earliest ``ts_ms``. The app is named by its latest title by ``ts_ms`` (of equal
        times by the later in order), or with the policy ``first`` by the first that came, unless an operator pinned a
        name. The 50 most recently seen titles are kept, and always the one that names the app. Categories are merged
        in order, up to ten; while an operator's are pinned, the merged ones are kept beside them and shown again
        after ``uncategorize``.

        Repeating a batch answers the same and changes nothing, as long as nobody else changed apps in between. When it
        raises, nothing of the batch is stored.

        Raises:
            ValueError: more than 10,000 observations.

        """
        return self._observations.observe(observations)

    def revision(self) -> int:
        """Return the number of the last transaction that changed anything visible of any app; about 10 µs on SQLite."""
        return self._database.revision("apps")

    def changes(self, since: int) -> CatalogChanges:
        """Return the apps changed after a revision, all of them for 0, and the revision up to which they are complete.

        When ``since`` lies in the future, as after restoring a backup, all are returned.
        """
        return self._database.read(lambda connection: apps.changes(connection, since))

    def find(self, ref: str | int) -> App:
        """Return the app of an id (an integer, or digits) or of any URL of it, by the attribution rules.

        Raises:
            UnknownApp: there is none; the message and ``tried`` say which canonical URL was looked up.
            AmbiguousApp: a loopback URL that several titles share; the message and ``ids`` name them.

        """
        return self._database.read(lambda connection: apps.find(connection, ref))

    def resolve(self, ref: str | int) -> App:
        """Return the app for which usage under an id or URL counts: at the end of the aliases, hidden or not.

        A URL that has not been seen yet resolves where its host is folded.

        Raises:
            UnknownApp: it would be a new app; ``tried`` is its canonical URL.
            AmbiguousApp: as ``find``.

        """
        with self._database.reading() as connection:
            try:
                return apps.app(connection, apps.root_of(connection, apps.find(connection, ref).id))
            except UnknownApp as unknown:
                root_id = None if unknown.tried is None else folds.resolve(connection, unknown.tried)
                if root_id is None:
                    raise
                return apps.app(connection, root_id)

    def identified(self, identity: AppIdentity) -> App | None:
        """Return the app of an identity, None when no usage has made it yet."""
        return self._database.read(lambda connection: apps.identified(connection, identity))

    def root_of(self, app_id: int) -> int:
        """Return the id of the app that this one's usage counts for: itself, unless it is an alias."""
        return self._database.read(lambda connection: apps.root_of(connection, app_id))

    def app(self, app_id: int) -> App:
        """Return the app of an id; raises UnknownApp."""
        return self._database.read(lambda connection: apps.app(connection, app_id))

    def apps(
        self, search: str = "", *, visibilities: Iterable[Visibility] | None = None, limit: int = 50, offset: int = 0
    ) -> AppPage:
        """Return a page of the apps, aliases included, by ascending id.

        ``search`` is looked for in names and identities, whatever the case; ``visibilities`` None means any;
        ``limit`` is 1–1,000. Raises InvalidValue.
        """
        return self._database.read(lambda connection: apps.listing(connection, search, visibilities, limit, offset))

    def titles(self, app_id: int) -> tuple[TitleVariant, ...]:
        """Return the titles under which an app was seen, the most recent first, at most 50; raises UnknownApp."""
        return self._database.read(lambda connection: apps.titles(connection, app_id))

    def aliases(self, app_id: int) -> tuple[App, ...]:
        """Return every app that leads to this one, directly or over others, by ascending id; raises UnknownApp."""
        return self._database.read(lambda connection: apps.aliases(connection, app_id))

    def alias_page(self, app_id: int, *, limit: int = 50, offset: int = 0) -> AppPage:
        """Return a page of what ``aliases`` returns, and how many it returns; raises UnknownApp, InvalidValue."""
        return self._database.read(lambda connection: apps.alias_page(connection, app_id, limit, offset))

    def merge(self, alias_id: int, canonical_id: int, actor: str) -> AuditEntry:
        """Make one app an alias of another, or point an alias elsewhere. The pointer is stored as given.

        Raises:
            UnknownApp: one of them does not exist.
            MergeRefused: they are the same, or the canonical one leads to the alias.

        """
        return self._database.write(
            lambda connection: actions.merge(connection, self._act(actor), alias_id, canonical_id)
        )

    def unmerge(self, alias_id: int, actor: str) -> AuditEntry:
        """Make an alias an app of its own again; raises UnknownApp, and MergeRefused when it is no alias.

        Where its host is folded it stays apart from the fold.
        """
        return self._database.write(lambda connection: actions.unmerge(connection, self._act(actor), alias_id))

    def fold(self, host: str, actor: str, *, into: int | None = None) -> Folded:
        """Let all paths of a host count for one app, those seen so far and those to come, until it is unfolded.

        ``host`` may be any URL of it. Without ``into`` the app is the one at the host's root, or what that counts for;
        when no usage has been seen of the root, the first app seen of the host. Apps that an operator merged or
        unmerged stay as they are.

        Raises:
            InvalidValue: no host, or one whose apps do not differ by their paths.
            UnknownApp: ``into`` does not exist, or no app of the host does.
            FoldRefused: the app leads to one that would be folded into it.
            LimitReached: 10,000 hosts have been folded.

        """
        return self._database.write(lambda connection: folds.fold(connection, self._act(actor), host, into))

    def unfold(self, host: str, actor: str) -> Folded:
        """Make the apps of a folded host apps of their own again; raises InvalidValue, FoldRefused when it is not."""
        return self._database.write(lambda connection: folds.unfold(connection, self._act(actor), host))

    def folds(self) -> tuple[Fold, ...]:
        """Return the folded hosts, by host."""
        return self._database.read(folds.listing)

    def rename(self, app_id: int, name: str, actor: str) -> AuditEntry:
        """Set an app's name and pin it: headers no longer change it.

        Raises:
            UnknownApp: no such app.
            InvalidValue: the cleaned name has not 1 to 100 characters.

        """
        return self._database.write(lambda connection: actions.rename(connection, self._act(actor), app_id, name))

    def unpin(self, app_id: int, actor: str) -> AuditEntry:
        """Let headers name the app again, which takes the name they have come to meanwhile; raises UnknownApp."""
        return self._database.write(lambda connection: actions.unpin(connection, self._act(actor), app_id))

    def hide(self, app_id: int, actor: str) -> AuditEntry:
        """Leave the app out of rankings; raises UnknownApp."""
        return self._database.write(
            lambda connection: actions.set_visibility(connection, self._act(actor), app_id, Visibility.HIDDEN)
        )

    def set_private(self, app_id: int, actor: str) -> AuditEntry:
        """Leave the app out of rankings by its owner's wish; raises UnknownApp."""
        return self._database.write(
            lambda connection: actions.set_visibility(connection, self._act(actor), app_id, Visibility.PRIVATE)
        )

    def publish(self, app_id: int, actor: str) -> AuditEntry:
        """Show the app in rankings; raises UnknownApp."""
        return self._database.write(
            lambda connection: actions.set_visibility(connection, self._act(actor), app_id, Visibility.PUBLIC)
        )

    def categorize(self, app_id: int, categories: Iterable[str], actor: str) -> AuditEntry:
        """Set an app's categories, none being allowed, and pin them: headers no longer change them.

        Raises:
            UnknownApp: no such app.
            InvalidValue: not one of the fifteen, or more than ten.

        """
        return self._database.write(
            lambda connection: actions.categorize(connection, self._act(actor), app_id, categories)
        )

    def uncategorize(self, app_id: int, actor: str) -> AuditEntry:
        """Let headers give the categories again, which takes the set they have come to meanwhile; raises UnknownApp."""
        return self._database.write(lambda connection: actions.uncategorize(connection, self._act(actor), app_id))

    def undo(self, audit_id: int, actor: str) -> AuditEntry:
        """Put a field of an app, or a host's fold, back to what it was before an entry; an undo can itself be undone.

        Raises:
            UnknownEntry: no such entry.
            UndoRefused: it changed nothing, is undone already, concerns a key, was followed by another change of the
                same field or fold that is still in force (undo that first), or going back would close a ring of
                aliases. A fold's also, when an operator placed an app of the host since.

        """
        return self._database.write(lambda connection: actions.undo(connection, self._act(actor), audit_id))

    def log(self, limit: int = 50, offset: int = 0) -> tuple[AuditEntry, ...]:
        """Return a page of the audit log, the newest first; ``limit`` is 1–1,000. Raises InvalidValue."""
        return self.log_page(limit, offset).entries

    def log_page(self, limit: int = 50, offset: int = 0, *, app_id: int | None = None) -> AuditPage:
        """Return a page of the audit log and its length, of one app's entries or of all.

        Raises UnknownApp, InvalidValue.
        """
        return self._database.read(lambda connection: audit.log(connection, limit, offset, app_id))

    def entry(self, audit_id: int) -> AuditEntry:
        """Return one entry of the audit log; raises UnknownEntry."""
        return self._database.read(lambda connection: audit.entry(connection, audit_id))

    def create_key(
        self, label: str, scopes: Iterable[Scope | str], account: str = "default", *, actor: str = "operator"
    ) -> NewKey:
        """Make an API key, and its account when no key had that before. The secret is in the answer and nowhere else.

        Raises:
            InvalidValue: no scope or an unknown one; a label, account or actor without 1 to 100 printable characters.
            LimitReached: 10,000 keys are in force, or there are 10,000 accounts.

        """
        return self._database.write(
            lambda connection: keys.create(connection, self._act(actor), label, scopes, account)
        )

    def revoke_key(self, key_id: int, *, actor: str = "operator") -> Key:
        """Revoke a key, for good; one revoked before stays as it is. Raises UnknownKey."""
        return self._database.write(lambda connection: keys.revoke(connection, self._act(actor), key_id))

    def rotate_key(self, key_id: int, *, actor: str = "operator") -> NewKey:
        """Make a key of the same label, scopes and account, with an id of its own, and revoke the old one at once.

        Raises:
            UnknownKey: no such key.
            KeyRevoked: it is revoked already.

        """
        return self._database.write(lambda connection: keys.rotate(connection, self._act(actor), key_id))

    def key(self, key_id: int) -> Key:
        """Return one key; raises UnknownKey."""
        return self._database.read(lambda connection: keys.find(connection, key_id))

    def keys(self) -> tuple[Key, ...]:
        """Return all keys, revoked ones included, by ascending id."""
        return self._database.read(keys.listing)

    def accounts(self) -> tuple[Account, ...]:
        """Return all accounts, by ascending id."""
        return self._database.read(keys.accounts)

    def keys_revision(self) -> int:
        """Return the number of the last transaction that changed any key; as quick as ``revision``."""
        return self._database.revision("keys")

    def _act(self, actor: str) -> Act:
        return Act(clean_label(actor, "the actor"), self._clock())
