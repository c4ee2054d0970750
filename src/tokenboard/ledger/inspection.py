"""What `tokenboard doctor` asks of a server or a cluster: its version, clock, rights, Keeper, nodes and replicas.

Each question is one of its own, so that one that may not be asked hides none of the others. Nothing is changed.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from tokenboard.ledger.connections import Connections
from tokenboard.ledger.errors import LedgerUnavailable
from tokenboard.ledger.sql import query_text

OLDEST: Final = (25, 8)
"""The oldest version of ClickHouse that the ledger is made for."""

CLOCK_WARNING_S: Final = 2.0
CLOCK_FAULT_S: Final = 60.0
"""How far a server's clock may be from this machine's: events of days and hours are told by it, in seconds."""

RIGHTS: Final = ("SELECT", "INSERT", "ALTER TABLE", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW")
"""The rights on the database that the ledger's user needs."""

CLUSTER_RIGHTS: Final = ("CLUSTER", "REMOTE")
"""Those on everything that a cluster takes beside."""

_LAG_S: Final = 30


class Finding(NamedTuple):
    """What was found of one thing: ``fault`` and ``hint`` are empty where all is well, ``facts`` then tell how."""

    name: str
    facts: str
    fault: str = ""
    hint: str = ""


def inspect(connections: Connections, database: str, cluster: str) -> Iterator[Finding]:
    """Yield what is found of a server, and with a ``cluster`` of that."""

    def ask(question: str, **parameters: Any) -> list[tuple[Any, ...]]:
        names = {"cluster": "'" + cluster.replace("'", "") + "'"} if cluster else {}
        return [tuple(row) for row in connections.ask(query_text(f"doctor_{question}", **names), parameters)]

    yield _told("version", lambda: _version(str(ask("version")[0][0])))
    yield _told("clock", lambda: _clock(int(ask("clock")[0][0]) / 1000 - time.time()))
    yield _told("rights", lambda: _rights(connections, database, cluster))
    if cluster:
        yield _told("keeper", lambda: _keeper(ask("keeper")))
        yield _told("cluster", lambda: _cluster(ask("cluster", cluster=cluster)))
        yield _told("nodes", lambda: _nodes(ask("nodes")))
        yield _told("replicas", lambda: _replicas(ask("replicas", database=database)))


def _told(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except LedgerUnavailable as error:
        return Finding(name, "", str(error), error.hint)


def _version(version: str) -> Finding:
    found = tuple(int(part) for part in version.split(".")[:2])
    oldest = ".".join(map(str, OLDEST))
    if found < OLDEST:
        return Finding("version", version, f"ClickHouse {version} is too old", f"Upgrade it to {oldest} or later.")
    return Finding("version", f"ClickHouse {version}")


def _clock(ahead_s: float) -> Finding:
    facts = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if abs(ahead_s) > CLOCK_FAULT_S:
        return Finding("clock", facts, f"the server's clock is {facts}", "Let NTP set both clocks.")
    if abs(ahead_s) > CLOCK_WARNING_S:
        return Finding("clock", f"warning: {facts}; let NTP set both")
    return Finding("clock", "as this machine's")


def _rights(connections: Connections, database: str, cluster: str) -> Finding:
    quoted = "`" + database.replace("`", "") + "`"
    wanted = [(right, f"{quoted}.*") for right in RIGHTS]
    wanted += [(right, "*.*") for right in CLUSTER_RIGHTS if cluster]
    lacking = [
        f"GRANT {right} ON {where}"
        for right, where in wanted
        if not connections.ask(f"CHECK GRANT {right} ON {where}", {})[0][0]
    ]
    if lacking:
        return Finding("rights", "", f"the user lacks {len(lacking)} of {len(wanted)} rights", f"{'; '.join(lacking)}.")
    return Finding("rights", f"all {len(wanted)}")


def _keeper(rows: list[tuple[Any, ...]]) -> Finding:
    return Finding("keeper", f"answers, with {int(rows[0][0])} entries at its root")


def _cluster(rows: list[tuple[Any, ...]]) -> Finding:
    ((shards, replicas, fewest, weights, errors),) = rows
    if not shards:
        return Finding(
            "cluster", "", "the server knows no such cluster", "See SELECT DISTINCT cluster FROM system.clusters."
        )
    if weights > 1:
        return Finding("cluster", "", "its shards have different weights", "Give all shards the same weight.")
    facts = f"{shards} shards, {replicas} replicas in all, {fewest} at least each"
    return Finding("cluster", f"warning: {facts}; {errors} failed connections of late" if errors else facts)


def _nodes(rows: list[tuple[Any, ...]]) -> Finding:
    """Tell of nodes (host, its clock in ms, its macros) that lack macros or share them, or whose clocks differ."""
    for host, _, macros in rows:
        if lacking := [name for name in ("shard", "replica") if not dict(macros).get(name)]:
            named = " and ".join(f"{{{name}}}" for name in lacking)
            return Finding("nodes", "", f"{host} has no macro {named}", "Set both in its configuration's <macros>.")
    places = [(dict(macros)["shard"], dict(macros)["replica"]) for _, _, macros in rows]
    if len(set(places)) < len(places):
        hint = "Give each node a {replica} of its own in its shard."
        return Finding("nodes", "", "two nodes have the same macros {shard} and {replica}", hint)
    times = [int(ms) for _, ms, _ in rows]
    if max(times) - min(times) > CLOCK_WARNING_S * 1000:
        return Finding("nodes", f"warning: {len(rows)} answer; their clocks are {max(times) - min(times)} ms apart")
    return Finding("nodes", f"{len(rows)} answer, each with its macros")


def _replicas(rows: list[tuple[Any, ...]]) -> Finding:
    """Tell of replicas (host, table, read-only, delay in s, active and all of its table) that are not whole."""
    if bad := [f"{table} on {host}" for host, table, readonly, *_ in rows if readonly]:
        return Finding(
            "replicas", "", f"read-only: {', '.join(bad[:3])}", "Restore Keeper; see SYSTEM RESTORE REPLICA."
        )
    behind = [f"{table} on {host} by {delay} s" for host, table, _, delay, *_ in rows if delay > _LAG_S]
    away = sorted({f"{table}: {active} of {total}" for _, table, _, _, active, total in rows if active < total})
    if behind or away:
        return Finding("replicas", f"warning: behind: {', '.join(behind[:3]) or 'none'}; active: {', '.join(away[:3])}")
    return Finding("replicas", f"{len(rows)} replicas of tables, all active and up to date")
