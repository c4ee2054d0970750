"""The one place that names table engines: the same schema files and questions serve one engine, a server and a cluster.

On one node a table is a table. On a cluster the tables of usage and of its sums are replicated tables ``…_local``, a
shard's own, and a ``Distributed`` table under the plain name spreads over them by ``app_id``, so that questions read
the same; the small tables are whole on every node.

    question ─▶ usage ─────────────────▶ usage
    question ─▶ usage (Distributed) ─┬─▶ usage_local on shard 1 ─▶ views ─▶ app_daily_local …
                                     └─▶ usage_local on shard 2 ─▶ views ─▶ app_daily_local …
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

DEDUPLICATION_WINDOW: Final = 10_000
"""Blocks remembered per table and shard. A batch makes one block per month it touches, and only the batch last sent is
ever retried: of a few writers' it is remembered, by far."""

TOKENS_KEPT_S: Final = 7 * 86_400
"""For how long replicas together remember what they were given, in seconds."""

SETTLED_S: Final = 60
"""After so many seconds without a change every replica that is read has it: a day is read once more then."""

_LAG_S: Final = 30
"""Replicas that know to be further behind are not read, in seconds: half of `SETTLED_S`."""

_FSYNC = "fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1"
_EVERYWHERE = "('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")


class Engines(Protocol):
    """What stands for tables and engines in statements, and how a batch is spread over them."""

    @property
    def shards(self) -> int:
        """How many pieces one month of one table has: 1, or one on each shard."""

    @property
    def exact_tokens_s(self) -> int:
        """For how long what the engine was given is remembered for certain, in seconds; 0: not beyond a crash."""

    @property
    def settings(self) -> Mapping[str, str | int]:
        """What goes with every statement."""

    def names(self) -> dict[str, str]:
        """Return what each ``$name`` in schema files and questions stands for."""

    def covers(self, table: str) -> Iterator[str]:
        """Yield the statements that make or remake what lies over a shard's own table."""

    def caught_up(self, table: str) -> Iterator[str]:
        """Yield the statements that return once every replica has all that any had when they were sent."""

    def on_shard(self, shard: int) -> tuple[str, dict[str, int]]:
        """Return the condition on raw events that are one shard's, from 0, and the settings to insert there."""


@dataclass(frozen=True, slots=True)
class SingleNode:
    """The embedded engine, and a server without replication."""

    shards: int = 1
    exact_tokens_s: int = 0
    settings: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))

    def names(self) -> dict[str, str]:
        """As `Engines.names`."""
        return {
            "local": "",
            "on": "",
            "merge_tree": "MergeTree",
            "summing_merge_tree": "SummingMergeTree",
            "merge_tree_everywhere": "MergeTree",
            "summing_merge_tree_everywhere": "SummingMergeTree",
            # The spool forgets a batch once its insert has returned: from then on the part must survive a power cut by
            # itself.
            "durable": f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}, {_FSYNC}",
            "forgetful": "non_replicated_deduplication_window = 0",
            "parts": "system.parts",
            "processes": "system.processes",
            "all_day_changes": "day_changes",
            "change_number": "sum(day_changes.changes)",
        }

    def covers(self, table: str) -> Iterator[str]:  # noqa: ARG002 - nothing lies over it
        """As `Engines.covers`: nothing does."""
        yield from ()

    def caught_up(self, table: str) -> Iterator[str]:  # noqa: ARG002
        """As `Engines.caught_up`: there is nobody else."""
        yield from ()

    def on_shard(self, shard: int) -> tuple[str, dict[str, int]]:  # noqa: ARG002
        """As `Engines.on_shard`."""
        return "1", {}


class Cluster:
    """A cluster of ``shards`` shards, as its servers' ``remote_servers`` name it, and the database on it.

    ``replicated`` False is for a cluster without Keeper in a test: the same layout on plain engines.
    """

    def __init__(self, name: str, shards: int, database: str, *, replicated: bool = True) -> None:
        if _NAME.fullmatch(name) is None or shards < 1:
            raise ValueError("a cluster has a name and at least one shard")
        self._name = name
        self._database = _quoted(database)
        self._replicated = replicated
        self.shards = shards
        self.exact_tokens_s = TOKENS_KEPT_S if replicated else 0
        self.settings: Mapping[str, str | int] = MappingProxyType(
            {
                # An insert returns once every shard has its part of it, on most of its replicas.
                "distributed_foreground_insert": 1,
                "insert_quorum": "auto",
                "insert_quorum_timeout": 60_000,
                # Sums go to the shard that the statement names, not to wherever they were added up.
                "parallel_distributed_insert_select": 0,
                # Whoever reads or writes prefers the same replica, so what one has written another finds.
                "load_balancing": "in_order",
                "prefer_localhost_replica": 0,
                "max_replica_delay_for_distributed_queries": _LAG_S,
                "fallback_to_stale_replicas_for_distributed_queries": 0,
                # ALTER returns once every replica has done it.
                "alter_sync": 2,
            }
        )

    def names(self) -> dict[str, str]:
        """As `Engines.names`."""
        name = _quoted(self._name)
        family = "Replicated" if self._replicated else ""
        everywhere = _EVERYWHERE if self._replicated else ""
        window = "replicated_deduplication_window" if self._replicated else "non_replicated_deduplication_window"
        seconds = f"replicated_deduplication_window_seconds = {TOKENS_KEPT_S}, " if self._replicated else ""
        return {
            "local": "_local",
            "on": f" ON CLUSTER {name}",
            # Without arguments: by the server's default_replica_path and its macros, a path of its own for each table.
            "merge_tree": f"{family}MergeTree",
            "summing_merge_tree": f"{family}SummingMergeTree",
            "merge_tree_everywhere": f"{family}MergeTree{everywhere}",
            "summing_merge_tree_everywhere": f"{family}SummingMergeTree{everywhere}",
            "durable": f"{window} = {DEDUPLICATION_WINDOW}, {seconds}{_FSYNC}",
            "forgetful": f"{window} = 0",
            "parts": f"cluster({name}, system.parts)",
            "processes": f"clusterAllReplicas({name}, system.processes)",
            "all_day_changes": f"clusterAllReplicas({name}, {self._database}, 'day_changes')",
            "change_number": (
                f"2 * sum(day_changes.changes) + (max(day_changes.noted) < now64(3) - INTERVAL {SETTLED_S} SECOND)"
            ),
        }

    def covers(self, table: str) -> Iterator[str]:
        """As `Engines.covers`."""
        names = self.names()
        # Without a key nothing is spread: sums of what no app is told by are always written to a shard by its number.
        key = ", app_id" if table.startswith(("usage", "app_")) else ""
        yield (
            f"CREATE OR REPLACE TABLE {table}{names['on']} AS {table}{names['local']} ENGINE = "
            f"Distributed({_quoted(self._name)}, {self._database}, {_quoted(table + names['local'])}{key})"
        )

    def caught_up(self, table: str) -> Iterator[str]:
        """As `Engines.caught_up`."""
        if self._replicated:
            names = self.names()
            yield f"SYSTEM SYNC REPLICA{names['on']} {table}{names['local']}"

    def on_shard(self, shard: int) -> tuple[str, dict[str, int]]:
        """As `Engines.on_shard`; shards are to have equal weights."""
        return f"usage.app_id % {self.shards} = {shard}", {"insert_shard_id": shard + 1}


SINGLE_NODE: Final = SingleNode()
"""The embedded engine, and a server without replication."""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
