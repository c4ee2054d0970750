"""The way to a server, and what goes wrong on it: each batch counts once, each fault is told with a way out."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.clickhouse.running import ClickHouse
from tests.clickhouse.server import PASSWORD
from tests.ledger.conftest import served
from tests.ledger.oracle import ask
from tests.ledger.test_batches import MONTHS, differing, rows_of
from tests.ledger.test_ledger import WRITER, put
from tokenboard.ledger import Finding, Ledger, LedgerMisplaced, LedgerUnavailable, inspection

TODAY = datetime.now(UTC).date()
BATCHES = iter(range(100, 10_000, 10))


@pytest.fixture(scope="module")
def ledger(clickhouse: ClickHouse) -> Iterator[Ledger]:
    """One ledger for the module: every test has batches, apps and models of its own."""
    with served(clickhouse) as opened:
        yield opened


@pytest.fixture
def batch(clickhouse: ClickHouse) -> Iterator[int]:
    yield next(BATCHES)
    clickhouse.fail()


def wrong(ledger: Ledger, batch: int) -> list[str]:
    """Return the tables in which a batch is not as it was sent, each row once."""
    rows = rows_of(batch)
    found = ask(ledger, f"SELECT count(), uniqExact(id) FROM usage WHERE batch = {batch}")
    return differing(ledger, *sorted(DONE | {batch})) + ([] if found == [(len(rows), len(rows))] else ["ids"])


DONE: set[int] = set()


@pytest.mark.parametrize("kind", ["reset", "reset-after", "error", "error-after"])
@pytest.mark.parametrize("match", ["INSERT INTO usage", "INSERT INTO day_changes"])
def test_a_batch_whose_answer_was_lost_is_counted_once(
    clickhouse: ClickHouse, ledger: Ledger, batch: int, kind: str, match: str
) -> None:
    clickhouse.fail({"kind": kind, "match": match, "times": 2})
    hints = []
    for attempt in range(4):
        try:
            put(ledger, batch, *rows_of(batch), fresh=not attempt)
        except LedgerUnavailable as error:
            hints.append(error.hint)
    # The second fault is met only by who sends it again, and what was done is not.
    assert (len(hints), True) in {(1, all(hints)), (2, all(hints))}
    DONE.add(batch)
    assert [] == wrong(ledger, batch)
    assert batch == ledger.last_batch(WRITER)


def test_the_driver_sends_a_batch_no_second_time_by_itself(clickhouse: ClickHouse, ledger: Ledger, batch: int) -> None:
    before = sum(said.startswith("INSERT INTO usage ") for said in clickhouse.said())
    clickhouse.fail({"kind": "reset-after", "match": "INSERT INTO usage"})
    with pytest.raises(LedgerUnavailable):
        put(ledger, batch, *rows_of(batch), fresh=True)
    assert before + 1 == sum(said.startswith("INSERT INTO usage ") for said in clickhouse.said())
    put(ledger, batch, *rows_of(batch))
    DONE.add(batch)
    assert [] == wrong(ledger, batch)


def test_while_the_server_is_at_work_on_an_attempt_nothing_is_sent_again(
    clickhouse: ClickHouse, ledger: Ledger, batch: int
) -> None:
    clickhouse.fail({"kind": "slow", "match": "INSERT INTO usage", "seconds": 3.0})
    attempt = threading.Thread(target=put, args=(ledger, batch, *rows_of(batch)), kwargs={"fresh": True})
    attempt.start()
    with served_again(clickhouse) as second:
        while not ask_attempts(second, batch):
            time.sleep(0.02)
        with pytest.raises(LedgerUnavailable, match="still at work on an earlier attempt"):
            put(second, batch, *rows_of(batch))
        attempt.join()
        put(second, batch, *rows_of(batch))
    DONE.add(batch)
    assert [] == wrong(ledger, batch)


def test_pieces_are_completed_only_when_nothing_more_can_come(
    clickhouse: ClickHouse, ledger: Ledger, batch: int
) -> None:
    put(ledger, batch, *rows_of(batch), fresh=True)
    ask(ledger, f"ALTER TABLE app_daily DELETE WHERE batch = {batch} SETTINGS mutations_sync = 2")
    DONE.add(batch)
    with (
        served_again(clickhouse, settled_s=600.0) as soon,
        pytest.raises(LedgerUnavailable, match="an earlier attempt may still come in"),
    ):
        put(soon, batch, *rows_of(batch))
    with served_again(clickhouse) as later:
        put(later, batch, *rows_of(batch))
    assert [] == wrong(ledger, batch)


def served_again(clickhouse: ClickHouse, settled_s: float = 0.0) -> Any:
    """Open a second ledger on the server, as another process would."""
    return closing(Ledger(clickhouse.dsn, settled_s=settled_s, grace_s=0.0))


def ask_attempts(ledger: Ledger, batch: int) -> bool:
    running = "SELECT count() FROM system.processes AS processes WHERE startsWith(processes.initial_query_id, '{}')"
    return bool(ask(ledger, running.format(f"tokenboard-{WRITER}-{batch}-"))[0][0])


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (252, "Too many parts (3001)", "ever less often"),
        (241, "Memory limit exceeded", "Give the server more memory"),
        (242, "Table is in readonly mode", "has lost Keeper"),
        (164, "Cannot execute query in readonly mode", "GRANT"),
        (497, "Not enough privileges", "GRANT"),
        (243, "Cannot reserve 1.00 MiB, not enough space", "Make room"),
        (999, "Coordination::Exception: Connection loss", "Keeper"),
        (202, "Too many simultaneous queries", "slow or overloaded"),
    ],
)
def test_what_a_server_complains_of_is_told_with_what_to_do(
    clickhouse: ClickHouse, ledger: Ledger, batch: int, code: int, message: str, hint: str
) -> None:
    clickhouse.fail({"kind": "error", "match": "INSERT INTO usage", "code": code, "message": message})
    with pytest.raises(LedgerUnavailable) as raised:
        put(ledger, batch, *rows_of(batch), fresh=True)
    assert code == raised.value.code
    assert message in str(raised.value)
    assert hint in raised.value.hint
    assert PASSWORD not in str(raised.value)


@pytest.mark.parametrize(
    ("dsn", "said", "hint"),
    [
        ("clickhouse://board:wrong-one@127.0.0.1:{port}/default", "Authentication failed", "Check user and password"),
        ("clickhouse://board:s3cret@127.0.0.1:{port}/other", "Database other does not exist", "CREATE DATABASE"),
        ("clickhouse://board:s3cret@127.0.0.1:9/default", "did not answer", "Start the server"),
    ],
)
def test_a_server_that_cannot_be_had_is_named_and_no_password_is_shown(
    clickhouse: ClickHouse, dsn: str, said: str, hint: str
) -> None:
    with pytest.raises(LedgerUnavailable, match=said) as raised:
        Ledger(dsn.format(port=clickhouse.port), timeout_s=2)
    assert hint in raised.value.hint
    error: BaseException | None = raised.value
    while error is not None:
        assert "s3cret" not in str(error)
        assert "wrong-one" not in str(error)
        error = error.__cause__ or error.__context__


def test_a_password_may_come_apart_from_the_dsn(clickhouse: ClickHouse, ledger: Ledger) -> None:
    Ledger(f"clickhouse://board@127.0.0.1:{clickhouse.port}/default", password=PASSWORD).close()


def test_a_cluster_that_the_server_does_not_know_is_named(clickhouse: ClickHouse) -> None:
    with pytest.raises(LedgerMisplaced, match="knows no cluster elsewhere"):
        Ledger(clickhouse.dsn, cluster="elsewhere")


@pytest.mark.parametrize("fault", [{"kind": "slow", "seconds": 3.0}, {"kind": "silent", "seconds": 3.0}])
def test_a_question_is_given_up_after_its_time_while_batches_go_on(
    clickhouse: ClickHouse, ledger: Ledger, batch: int, fault: dict[str, Any]
) -> None:
    ledger._connections.timeout_s = 0.3
    try:
        clickhouse.fail({"match": "max(usage.app_id)", **fault})
        with pytest.raises(LedgerUnavailable, match=r"within 0\.3 s") as raised:
            ledger.highest_ids()
        assert 0.3 == raised.value.within_s
        put(ledger, batch, *rows_of(batch), fresh=True)
        DONE.add(batch)
    finally:
        ledger._connections.timeout_s = 30.0
    assert ledger.highest_ids()[0] > 0


@pytest.mark.parametrize("kind", ["cut", "reset-after"])
def test_an_answer_that_breaks_off_is_no_answer(clickhouse: ClickHouse, ledger: Ledger, batch: int, kind: str) -> None:
    put(ledger, batch, *rows_of(batch), fresh=True)
    DONE.add(batch)
    clickhouse.fail({"kind": kind, "match": "tokens_low", "times": 4})
    with pytest.raises(LedgerUnavailable):
        ledger.read_days()
    clickhouse.fail()
    assert ledger.read_days().requests.sum() > 0


def test_questions_are_asked_beside_each_other(clickhouse: ClickHouse, ledger: Ledger) -> None:
    clickhouse.fail({"kind": "slow", "match": "SELECT max(usage.app_id)", "seconds": 1.5})
    slow = threading.Thread(target=ledger.highest_ids)
    slow.start()
    for _ in range(3):
        ledger.ids()
    assert slow.is_alive()
    slow.join()


def test_while_one_board_rebuilds_the_others_wait(clickhouse: ClickHouse, ledger: Ledger, batch: int) -> None:
    put(ledger, batch, *rows_of(batch), fresh=True)
    DONE.add(batch)
    ask(ledger, f"INSERT INTO rebuilds (month, open, writer) VALUES ({MONTHS[0]}, 1, 999)")
    with pytest.raises(LedgerUnavailable, match="another board is rebuilding 202608"):
        put(ledger, batch + 1, *rows_of(batch + 1), fresh=True)
    with pytest.raises(LedgerUnavailable, match="another board is rebuilding"):
        ledger.rebuild_month(MONTHS[0], TODAY, writer=WRITER)
    # Nobody takes it over as long as it may be under way; the one who began it ends it.
    assert [] == ledger.finish_rebuilds(TODAY, writer=WRITER)
    assert [MONTHS[0]] == ledger.finish_rebuilds(TODAY, writer=999)
    assert [] == wrong(ledger, batch)


def test_an_abandoned_rebuild_is_anybodys(ledger: Ledger, batch: int) -> None:
    put(ledger, batch, *rows_of(batch), fresh=True)
    DONE.add(batch)
    long_ago = "now64(3) - INTERVAL 1 HOUR"
    ask(ledger, f"INSERT INTO rebuilds (month, open, writer, noted) SELECT {MONTHS[1]}, 1, 998, {long_ago}")
    assert [MONTHS[1]] == ledger.finish_rebuilds(TODAY, writer=WRITER)
    assert [] == wrong(ledger, batch)


def test_a_rebuild_waits_for_the_batch_that_another_board_is_inserting(
    clickhouse: ClickHouse, ledger: Ledger, batch: int
) -> None:
    put(ledger, batch, *rows_of(batch), fresh=True)
    clickhouse.fail({"kind": "slow", "match": "INSERT INTO usage", "seconds": 2.0})
    other = threading.Thread(
        target=put, args=(ledger, batch + 1, *rows_of(batch + 1)), kwargs={"fresh": True, "writer": WRITER + 5}
    )
    other.start()
    with served_again(clickhouse) as second:
        while not ask(
            second,
            "SELECT count() FROM system.processes AS processes WHERE startsWith(processes.initial_query_id, "
            "'tokenboard-')",
        )[0][0]:
            time.sleep(0.02)
        second.rebuild_month(MONTHS[0], TODAY, writer=WRITER)
    other.join()
    DONE.update({batch, batch + 1})
    assert [] == wrong(ledger, batch)


def test_the_doctor_is_told_version_clock_and_rights(ledger: Ledger) -> None:
    found = {finding.name: finding for finding in ledger.inspect()}
    assert {"version", "clock", "rights"} == set(found)
    assert [] == [finding for finding in found.values() if finding.fault]
    assert found["version"].facts.startswith("ClickHouse 2")


@pytest.mark.parametrize(
    ("match", "name", "fault", "hint"),
    [
        ("CHECK GRANT", "rights", "Not enough privileges", "GRANT"),
        ("SELECT version()", "version", "Not enough privileges", "GRANT"),
    ],
)
def test_what_the_doctor_may_not_ask_hides_nothing_else(
    clickhouse: ClickHouse, ledger: Ledger, match: str, name: str, fault: str, hint: str
) -> None:
    clickhouse.fail({"kind": "error", "match": match, "code": 497, "message": "Not enough privileges"})
    found = {finding.name: finding for finding in ledger.inspect()}
    clickhouse.fail()
    assert {name} == {each for each, finding in found.items() if finding.fault}
    assert fault in found[name].fault
    assert hint in found[name].hint


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (inspection._version("24.3.1.1"), "too old"),
        (inspection._clock(-61.0), "61.0 s behind this machine's"),
        (inspection._cluster([(0, 0, 0, 0, 0)]), "knows no such cluster"),
        (inspection._cluster([(2, 4, 2, 2, 0)]), "different weights"),
        (inspection._nodes([("a", 0, [("shard", "1")])]), "a has no macro {replica}"),
        (
            inspection._nodes([(host, 0, [("shard", "1"), ("replica", "r")]) for host in "ab"]),
            "two nodes have the same macros",
        ),
        (inspection._replicas([("a", "usage_local", 1, 0, 2, 2)]), "read-only: usage_local on a"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_named(finding: Finding, said: str) -> None:
    assert said in finding.fault
    assert finding.hint


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (inspection._version("26.9.2.1"), "ClickHouse 26.9.2.1"),
        (inspection._clock(3.0), "warning: 3.0 s ahead of this machine's"),
        (inspection._cluster([(2, 4, 2, 1, 0)]), "2 shards, 4 replicas in all, 2 at least each"),
        (inspection._nodes([(host, 0, [("shard", "1"), ("replica", host)]) for host in "ab"]), "2 answer"),
        (inspection._replicas([("a", "usage_local", 0, 31, 1, 2)]), "warning: behind: usage_local on a by 31 s"),
        (inspection._replicas([("a", "usage_local", 0, 0, 2, 2)]), "all active and up to date"),
    ],
)
def test_what_is_well_with_a_cluster_is_told_too(finding: Finding, said: str) -> None:
    assert said in finding.facts
    assert "" == finding.fault
