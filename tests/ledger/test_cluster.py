"""A ledger on a cluster: its statements as an engine's parser takes them, and its layout on one shard without Keeper.

What is not run here is said in docs/clickhouse.md: replicas, Keeper, several shards. `TOKENBOARD_TEST_CLICKHOUSE` names
a server or cluster on which `test_real_cluster` does.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import numpy as np
import pytest

from tests.clickhouse.running import ClickHouse
from tests.ledger.cluster_statements import GOLDEN, cluster_statements, written
from tests.ledger.conftest import served
from tests.ledger.oracle import ask, expected, held
from tests.ledger.test_batches import MONTHS, TABLES, differing, rows_of
from tests.ledger.test_ledger import WRITER, put
from tests.rows import arrange_rows
from tokenboard.ledger import ROLLUPS, Ledger, LedgerMisplaced
from tokenboard.ledger.batches import Attempts, BatchId, BatchWriter, Piece
from tokenboard.ledger.engines import Cluster

TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def ledger(clickhouse: ClickHouse) -> Iterator[Ledger]:
    """One ledger for the module, laid out as on a cluster."""
    with served(clickhouse, Cluster("c", 1, "default", replicated=False)) as opened:
        yield opened


def test_the_statements_for_a_cluster_are_those_that_were_looked_at() -> None:
    assert GOLDEN.read_text() == written(cluster_statements()), "python -m tests.ledger.cluster_statements"


def test_the_engines_parser_takes_every_statement_for_a_cluster(open_ledger: Callable[..., Ledger]) -> None:
    embedded = open_ledger(migrated=False)
    for statement in cluster_statements():
        quoted = statement.replace("\\", "\\\\").replace("'", "\\'")
        assert ask(embedded, f"SELECT formatQuery('{quoted}')"), statement
    assert sum(" ON CLUSTER 'prod'" in statement for statement in cluster_statements()) > 50


def test_a_batch_is_in_every_table_once_and_its_lost_pieces_come_back(ledger: Ledger) -> None:
    put(ledger, 10, *rows_of(10), fresh=True)
    put(ledger, 10, *rows_of(10))
    assert [] == differing(ledger, 10)
    ask(ledger, f"ALTER TABLE usage_local DELETE WHERE toYYYYMM(ts) = {MONTHS[0]} SETTINGS mutations_sync = 2")
    ask(ledger, f"ALTER TABLE model_daily_local DELETE WHERE toYYYYMM(day) = {MONTHS[1]} SETTINGS mutations_sync = 2")
    put(ledger, 10, *rows_of(10))
    put(ledger, 20, *rows_of(20), writer=WRITER + 1)
    assert [] == differing(ledger, 10, 20)
    assert (10, 20) == (ledger.last_batch(WRITER), ledger.last_batch(WRITER + 1))

    # A month made anew, and one whose raw events are dropped.
    assert [] == differing(ledger, 10, 20)
    ask(ledger, f"ALTER TABLE app_daily_local DELETE WHERE toYYYYMM(day) = {MONTHS[0]} SETTINGS mutations_sync = 2")
    ledger.rebuild_month(MONTHS[0], TODAY, writer=WRITER)
    assert [] == [check.rollup for check in ledger.check_month(MONTHS[0], TODAY) if check.differing]
    assert list(MONTHS) == ledger.raw_months()
    assert [MONTHS[0]] == ledger.drop_raw_before(date(2026, 9, 1))
    assert list(MONTHS[1:]) == ledger.raw_months()
    for rollup in ROLLUPS:
        if rollup != "app_hourly":
            assert expected(rollup, rows_of(10) + rows_of(20)) == held(ledger, rollup)


def test_what_pages_ask_is_answered_through_distributed_tables(ledger: Ledger) -> None:
    first, last = date(2026, 8, 1), date(2026, 11, 1)
    apps = sorted(app for app in ledger.ids()[0])
    assert ledger.analyst.app_days(apps, first, last, 1)
    assert ledger.analyst.models(first, last)
    assert ledger.analyst.model_periods("month", first, last, top=1, rest="others")
    assert ledger.analyst.model_apps(ledger.analyst.models(first, last)[0].model, first, last)
    assert ledger.read_days().requests.sum() == len(rows_of(10)) + len(rows_of(20))
    assert {"usage", *ROLLUPS} == set(ledger.totals())
    assert ledger.highest_ids()[0] > 0


def test_a_day_is_read_once_more_when_every_replica_has_its_last_change(ledger: Ledger) -> None:
    day, before = next(iter(ledger.day_changes().items()))
    ask(ledger, f"INSERT INTO day_changes (day, changes, writer, noted) VALUES ('{day}', 0, 1, now64(3))")
    assert before == ledger.day_changes()[day]
    ask(ledger, "ALTER TABLE day_changes DELETE WHERE 1 SETTINGS mutations_sync = 2")
    long_ago = "now64(3) - INTERVAL 61 SECOND"
    ask(ledger, f"INSERT INTO day_changes (day, changes, writer, noted) SELECT '{day}', 1, 1, {long_ago}")
    assert 3 == ledger.day_changes()[day]
    ask(ledger, f"INSERT INTO day_changes (day, changes, writer, noted) VALUES ('{day}', 1, 2, now64(3))")
    assert 4 == ledger.day_changes()[day]


def test_a_batch_has_a_piece_for_each_shard_and_month_it_touches(ledger: Ledger) -> None:
    rows = rows_of(30)
    arranged = arrange_rows([one for one, _ in rows], [app for _, app in rows], [None] * len(rows))
    writer = BatchWriter(ledger._connections, Cluster("c", 3, "default"), Attempts(0), BatchId(1, 30), arranged)
    months = [int(str(np.datetime64(one.ts_ms, "ms"))[:7].replace("-", "")) for one, _ in rows]
    assert {Piece(app % 3, month) for (_, app), month in zip(rows, months, strict=True)} == writer._pieces
    one_shard = {piece for piece in writer._pieces if piece.shard == 1}
    table = writer._raw_rows(one_shard, summed_apart=True)
    assert {1} == {app % 3 for app in table["app_id"].to_pylist()}
    assert sum(app % 3 == 1 for _, app in rows) == table.num_rows
    assert ("usage.app_id % 3 = 1", {"insert_shard_id": 2}) == Cluster("c", 3, "default").on_shard(1)


@pytest.mark.parametrize("name", ["", "a b", "a'; DROP TABLE usage", "ü"])
def test_a_cluster_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="a cluster has a name"):
        Cluster(name, 1, "default")


def test_the_embedded_engine_is_no_cluster() -> None:
    with pytest.raises(LedgerMisplaced, match="embedded engine is alone"):
        Ledger("chdb:///nowhere", cluster="c")


def test_every_table_of_the_contract_is_there(ledger: Ledger) -> None:
    tables = {name for (name,) in ask(ledger, "SELECT name FROM system.tables WHERE engine = 'Distributed'")}
    assert set(TABLES) == tables
