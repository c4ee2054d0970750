from collections import Counter
from pathlib import Path

import pytest

from tests.board import wait_for
from tests.drain.conftest import Rig
from tests.events import DAY_MS, NOON, event, parcel
from tokenboard.ledger import BatchId, Ledger, LedgerUnavailable, Rows


def test_on_the_real_ledger_everything_arrives_once_though_each_batch_fails_and_is_sent_again(
    tmp_path: Path, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenboard.drain.drain._FIRST_BACKOFF_S", 0.01)
    ledger = Ledger(f"chdb://{tmp_path / 'ledger'}")
    ledger.migrate()
    insert, calls = ledger.insert, Counter[BatchId]()

    def insert_and_fail_at_first(batch: BatchId, rows: Rows, *, fresh: bool) -> None:
        calls[batch] += 1
        insert(batch, rows, fresh=fresh)
        if calls[batch] == 1:
            raise LedgerUnavailable("the answer was lost")

    monkeypatch.setattr(ledger, "insert", insert_and_fail_at_first)
    rig.ledger = ledger
    drain = rig.restart()
    try:
        drain.start()
        for number in range(5):
            rig.put(
                parcel(
                    *(
                        event(id=f"{number}-{at}", ts_ms=NOON - at * DAY_MS, app_key=f"https://a{at}.example")
                        for at in range(9)
                    )
                ),
                b"garbage",
                events=9,
            )
            wait_for(lambda: rig.spool.state().pending == 0)
        assert drain.stop()
        totals = ledger.totals()
        assert [5] * 9 == [day.requests for day in totals["usage"]]
        assert totals["usage"] == totals["app_daily"] == totals["app_model_daily"] == totals["model_daily"]
        assert set(calls.values()) == {2}
        assert 5 == rig.spool.state().dead_letters
        assert sorted(rig.catalog.find(f"https://a{at}.example").id for at in range(9)) == sorted(
            set(ledger.read_days().app_id.tolist())
        )
    finally:
        drain.stop()
        ledger.close()
