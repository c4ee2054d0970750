"""``tokenboard doctor``: settings, stores, upstreams, disk and clock, each checked, each fault with a way out.

It looks and changes nothing: what is not there yet is reported as such, and made by `tokenboard serve`.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from tokenboard import BUILD_FORM
from tokenboard.app.catalog import catalog_as_it_is
from tokenboard.app.folder import FolderError
from tokenboard.app.ledger import connect_ledger
from tokenboard.app.privacy import exposed
from tokenboard.app.record import MARKS, is_there, place_of, require
from tokenboard.app.running_server import RunningServer, ServerFault
from tokenboard.app.shared import open_shared
from tokenboard.app.stores import open_spool
from tokenboard.app.upstreams import attribution_options, probe_upstreams
from tokenboard.catalog import CatalogError, MarksFile
from tokenboard.cli.catalog import existing_catalog_of, sqlite_file
from tokenboard.cli.session import Session
from tokenboard.cli.terminal import counted, say, show_table
from tokenboard.cli.upkeep import audit_figures
from tokenboard.collector import Collector
from tokenboard.config import ConfigError, Settings, effective_settings
from tokenboard.ledger import LedgerError
from tokenboard.observability import Counters
from tokenboard.spool import SpoolError

_LITTLE_DISK = 1024**3
_FIRST_SENSIBLE_YEAR = 2025
_FAILED = "FAILED: "
_EXPOSED = 4  # files looked for; one less is named
_UNCHECKED = (
    "warning: not checked: whoever sits on the way can read everything. Set tls_ca_file, not tls_verify = false."
)
_NOT_YET = "not there yet; `tokenboard serve` makes it"


def check_everything(
    context: typer.Context,
    settings_only: Annotated[bool, typer.Option("--settings", help="Only print the effective settings.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Only compare raw events, sums and rankings; print what differs.")
    ] = False,
) -> None:
    """Print the settings and check the installation.

    Secrets are masked; stores, upstreams, disk and clock are checked. Changes nothing.
    """
    session: Session = context.obj
    if audit:
        audit_figures(session)
        return
    settings = session.settings()
    show_table(["setting", "value"], effective_settings(settings))
    if settings_only:
        return
    say("")
    findings = list(_checks(session, settings))
    show_table(["check", "finding"], findings)
    if failed := [name for name, finding in findings if finding.startswith(_FAILED)]:
        typer.echo(f"error: {len(failed)} of {len(findings)} checks failed: {', '.join(failed)}", err=True)
        typer.echo("hint: each finding above says how to mend it.", err=True)
        raise typer.Exit(1)


def _checks(session: Session, settings: Settings) -> Iterator[tuple[str, str]]:
    yield "build", f"ok: {BUILD_FORM}"
    yield "settings", f"ok: {session.config_file() or 'defaults and environment'}"
    yield (
        "clock",
        "ok" if time.gmtime().tm_year >= _FIRST_SENSIBLE_YEAR else f"{_FAILED}the clock is years behind. Set it.",
    )
    yield "rules", _try(lambda: f"ok: {counted(len(attribution_options(settings).rules), 'rule')}")
    yield "data folder", _folder(session.folder.path)
    yield "privacy", _privacy(session, settings)
    yield "disk", _disk(session.folder.path)
    yield "catalog", _try(lambda: _catalog(session, settings))
    if place_of("catalog", settings, session.folder.path) is None:
        yield "catalog server", _try(lambda: _catalog_server(session, settings))
    running = session.folder.running()
    if running is not None:
        yield "server", _server(running)
        yield "ids", _try(lambda: _ids(running.counters()))
        if place_of("ledger", settings, session.folder.path) is None:
            yield from _ledger_server(session, settings)
    else:
        yield "ledger", _try(lambda: _ledger(session, settings))
        if place_of("ledger", settings, session.folder.path) is None:
            yield from _ledger_server(session, settings)
        yield "spool", _try(lambda: _spool(session, settings))
    if settings.shared.redis:
        yield "shared", _try(lambda: asyncio.run(_shared(settings, session.folder.path)))
    try:
        for name, fault in asyncio.run(probe_upstreams(settings, session.folder.path)):
            yield f"upstream {name}", f"{_FAILED}{fault}" if fault else "ok"
        for unchecked in (upstream.name for upstream in settings.upstream if not upstream.tls_verify):
            yield f"certificate of {unchecked}", _UNCHECKED
    except ConfigError as error:
        yield "upstreams", f"{_FAILED}{error}"


def _try(check: Callable[[], str]) -> str:
    try:
        return check()
    except (CatalogError, ConfigError, FolderError, LedgerError, ServerFault, SpoolError) as error:
        return f"{_FAILED}{error}. {error.hint}"


async def _shared(settings: Settings, data: Path) -> str:
    store = open_shared(settings, data, Counters())
    if store is None:
        return "ok: none"
    try:
        return await store.diagnose()
    finally:
        await store.close()


def _folder(data: Path) -> str:
    nearest = _nearest_existing(data)
    if not nearest.is_dir():
        return f"{_FAILED}{nearest} is no folder. Name another with --data."
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{_FAILED}{nearest} cannot be written by this user. Mend its permissions, or name another with --data."
    return f"ok: {data}" if nearest == data else f"ok: {data} is {_NOT_YET}"


def _disk(data: Path) -> str:
    nearest = _nearest_existing(data)
    free = shutil.disk_usage(nearest).free
    left = f"{free / 1024**3:.1f} GiB free in {nearest}"
    return f"ok: {left}" if free > _LITTLE_DISK else f"{_FAILED}{left}. Make room, or name another folder with --data."


def _privacy(session: Session, settings: Settings) -> str:
    """Tell what others may read: the stores, and whatever else lies in the data folder."""
    data = session.folder.path
    places = [data, settings.spool_folder(data)]
    if (file := sqlite_file(settings.catalog_url(data))) is not None:
        places.append(file)
    scheme, _, ledger = settings.ledger_dsn(data).partition("://")
    if scheme == "chdb":
        places.append(Path(ledger))
    if not (open_to_others := exposed(places, _EXPOSED)):
        return "ok: nobody else may read the stores"
    named = ", ".join(str(path) for path in open_to_others[: _EXPOSED - 1])
    more = ", and more" if len(open_to_others) == _EXPOSED else ""
    return f"warning: others may read {named}{more}. Take it from them: chmod -R go= {data}"


def _nearest_existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _ids(counters: Mapping[str, int]) -> str:
    """Tell what the server has found when it compared catalog and ledger at its start."""
    return _older(counters.get("catalog.unknown_apps", 0), counters.get("catalog.unknown_keys", 0)) or "ok"


def _older(unknown_apps: int, unknown_keys: int) -> str:
    """Tell of a catalog that is older than its ledger; empty when it is not."""
    if not unknown_apps and not unknown_keys:
        return ""
    return (
        f"warning: the catalog is older than the ledger: {unknown_apps} apps and {unknown_keys} keys with usage are "
        "unknown to it. Restore a newer backup of the catalog; without one their usage stays, without names, and no id "
        "is reused."
    )


def _catalog(session: Session, settings: Settings) -> str:
    require("catalog", settings, session.folder.path)
    MarksFile(session.folder.path / MARKS).read()
    with existing_catalog_of(session, settings) as catalog:
        if catalog is None:
            place = place_of("catalog", settings, session.folder.path)
            older = place is None or is_there(place)
            return "ok: of an older program; `tokenboard serve` brings it up to date" if older else f"ok: {_NOT_YET}"
        total = catalog.apps(limit=1).total
        keys = [key for key in catalog.keys() if key.revoked_ms is None]  # noqa: SIM118 - not a dict
        left = "; migrations are left: `tokenboard migrate --phase post`, once no older program runs on it"
        return (
            f"ok: {counted(total, 'app')}, {counted(len(keys), 'key')} in force"
            f"{left if catalog.schema().post_waits else ''}"
        )


def _catalog_server(session: Session, settings: Settings) -> str:
    """Tell what PostgreSQL is like, and what would keep a board from working on it."""
    catalog = catalog_as_it_is(settings, session.folder.path)
    try:
        facts = catalog.server()
    finally:
        catalog.close()
    if facts is None:
        return "ok"
    told = (
        f"PostgreSQL {facts.version} at {facts.place} as {facts.user}, {facts.round_trip_ms:.1f} ms a round trip, "
        f"{facts.encoding}, {'encrypted' if facts.encrypted else 'not encrypted'}, "
        f"{facts.connections} of {facts.connections_limit} connections in use"
    )
    if facts.read_only:
        return f"{_FAILED}{told}; it takes no writes. Name the primary, or several hosts and target_session_attrs."
    if facts.missing_rights:
        missing = ", ".join(facts.missing_rights)
        return f"{_FAILED}{told}; {facts.user} may not {missing}. Let it own the database, or grant it."
    if facts.connections + settings.catalog.pool_size > facts.connections_limit:
        return (
            f"warning: {told}; [catalog] pool_size is {settings.catalog.pool_size}. Lower it, or raise max_connections."
        )
    return f"ok: {told}"


def _server(running: RunningServer) -> str:
    """Ask the server, which owns ledger and spool, how they are."""
    who = f"process {running.pid}, {running.url}"
    answer = running.readiness()
    if answer is None:
        return f"{_FAILED}{who}, does not answer. See its log."
    checks, spool = answer.get("checks"), answer.get("spool")
    if not isinstance(checks, dict) or not isinstance(spool, dict):
        return f"{_FAILED}{who}, answers as no tokenboard does. See whether another program took its port."
    faults = [f"{name}: {check}" for name, check in checks.items() if check != "ok"]
    if faults:
        return f"{_FAILED}{who}: {'; '.join(faults)}"
    return f"ok: {who}; {spool.get('pending')} events wait{_dead_letters(int(spool.get('dead_letters') or 0))}"


def _ledger(session: Session, settings: Settings) -> str:
    require("ledger", settings, session.folder.path)
    dsn = settings.ledger_dsn(session.folder.path)
    scheme, _, folder = dsn.partition("://")
    if scheme == "chdb" and not Path(folder).is_dir():
        return f"ok: {_NOT_YET}"
    session.folder.own()
    try:
        ledger = connect_ledger(settings, session.folder.path)
        try:
            ledger.check()
            days = len(ledger.day_changes())
            with existing_catalog_of(session, settings) as catalog:
                older = "" if catalog is None else _older(*catalog.unknown(*ledger.ids()))
            return older or f"ok: {counted(days, 'day')} with usage"
        finally:
            ledger.close()
    finally:
        session.folder.release()


def _ledger_server(session: Session, settings: Settings) -> Iterator[tuple[str, str]]:
    """Tell of a ledger's server or cluster, one finding a line; how it cannot be reached is told by ``ledger``."""
    try:
        with closing(connect_ledger(settings, session.folder.path)) as ledger:
            findings = ledger.inspect()
    except (ConfigError, LedgerError) as error:
        yield "ledger server", f"{_FAILED}{error}. {error.hint}"
        return
    for found in findings:
        facts = found.facts if found.facts.startswith("warning: ") else f"ok: {found.facts}"
        yield f"ledger {found.name}", f"{_FAILED}{found.fault}. {found.hint}" if found.fault else facts


def _spool(session: Session, settings: Settings) -> str:
    require("spool", settings, session.folder.path)
    if not any(settings.spool_folder(session.folder.path).glob("*.sqlite")):
        return f"ok: {_NOT_YET}"
    session.folder.own()
    try:
        spool = open_spool(settings, session.folder.path)
        try:
            state = spool.state()
            journals = Collector(spool, settings.spool_folder(session.folder.path), counters=Counters()).look()
        finally:
            spool.close()
        size = state.bytes + journals.bytes
        room = f"{size:,} of {state.max_bytes:,} bytes"
        if size >= state.max_bytes:
            return f"{_FAILED}full, {room}. Start the server to deliver it, or raise [spool] max_bytes."
        pending = state.pending + journals.events
        return f"ok: {pending} events wait, {room}{_dead_letters(state.dead_letters, state.dropped)}"
    finally:
        session.folder.release()


def _dead_letters(waiting: int, dropped: int = 0) -> str:
    told = f"; {counted(waiting, 'dead letter')}, see `tokenboard dead-letters list`" if waiting else ""
    return f"{told}; {counted(dropped, 'dead letter')} dropped so far" if dropped else told
