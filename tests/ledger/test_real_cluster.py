"""The ledger on a ClickHouse that is not ours: one node, or a cluster with replicas, shards and Keeper.

Run where ``TOKENBOARD_TEST_CLICKHOUSE`` names one (docs/clickhouse.md), with ``TOKENBOARD_TEST_CLUSTER`` as a cluster.
Its database is made if need be, and its tables are dropped.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.ledger.oracle import ask, expected, held
from tests.ledger.test_batches import MONTHS, differing, rows_of
from tests.ledger.test_ledger import WRITER, put
from tokenboard.ledger import ROLLUPS, Ledger
from tokenboard.ledger.address import parse_dsn

SERVER = os.environ.get("TOKENBOARD_TEST_CLICKHOUSE", "")
CLUSTER = os.environ.get("TOKENBOARD_TEST_CLUSTER", "")
TODAY = datetime.now(UTC).date()

pytestmark = pytest.mark.skipif(
    not SERVER,
    reason="set TOKENBOARD_TEST_CLICKHOUSE=clickhouse://USER:PASSWORD@HOST:8123/DATABASE; docs/clickhouse.md",
)


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    database = parse_dsn(SERVER).database
    everywhere = f" ON CLUSTER '{CLUSTER}'" if CLUSTER else ""
    with closing(Ledger(SERVER.rpartition("/")[0] + "/default")) as first:
        ask(first, f"DROP DATABASE IF EXISTS {database}{everywhere} SYNC")
        ask(first, f"CREATE DATABASE {database}{everywhere}")
    with closing(Ledger(SERVER, cluster=CLUSTER, settled_s=0.0, grace_s=0.1)) as opened:
        opened.migrate()
        yield opened


def caught_up(ledger: Ledger) -> None:
    for table in ("usage", *ROLLUPS):
        for statement in ledger.engines.caught_up(table):
            ask(ledger, statement)


def test_the_doctor_finds_nothing(ledger: Ledger) -> None:
    assert [] == [finding for finding in ledger.inspect() if finding.fault]


def test_batches_of_two_writers_count_once_however_often_they_are_sent(ledger: Ledger) -> None:
    for fresh in (True, False, False):
        put(ledger, 10, *rows_of(10), fresh=fresh)
        put(ledger, 20, *rows_of(20), fresh=fresh, writer=WRITER + 1)
    caught_up(ledger)
    assert [] == differing(ledger, 10, 20)
    assert (10, 20) == (ledger.last_batch(WRITER), ledger.last_batch(WRITER + 1))


def test_a_batch_of_this_moment_counts_once_by_its_token(ledger: Ledger) -> None:
    batch = int(datetime.now(UTC).timestamp()) * 1_000_000 + 30
    for fresh in (True, True, False):
        put(ledger, batch, *rows_of(batch), fresh=fresh)
    caught_up(ledger)
    assert [(len(rows_of(batch)),)] == ask(ledger, f"SELECT count() FROM usage WHERE batch = {batch}")


def test_lost_pieces_come_back(ledger: Ledger) -> None:
    put(ledger, 40, *rows_of(40), fresh=True, writer=4)
    names = ledger.engines.names()
    for table, when in (("usage", "ts"), ("model_daily", "day")):
        which = f"writer = 4 AND toYYYYMM({when}) = {MONTHS[0]}"
        settings = "SETTINGS mutations_sync = 2"
        ask(ledger, f"ALTER TABLE {table}{names['local']}{names['on']} DELETE WHERE {which} {settings}")
    put(ledger, 40, *rows_of(40), writer=4)
    caught_up(ledger)
    for table in ("usage", "app_daily", "model_daily"):
        mine = expected(table, rows_of(40))
        assert mine == {key: figures for key, figures in held(ledger, table).items() if key in mine}


def test_a_rebuild_and_an_audit_agree_and_old_months_go(ledger: Ledger) -> None:
    for month in ledger.raw_months():
        ledger.rebuild_month(month, TODAY, writer=WRITER)
        assert [] == [check.rollup for check in ledger.check_month(month, TODAY) if check.differing]
    assert [MONTHS[0]] == ledger.drop_raw_before(datetime(2026, 9, 1, tzinfo=UTC).date())
    assert list(MONTHS[1:]) == [month for month in ledger.raw_months() if month in MONTHS]
