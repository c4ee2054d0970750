from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from tests.drain.conftest import Rig
from tests.drain.fakes import Crash, crash_after, crash_before
from tests.events import DAY_MS, NOON, event, parcel
from tokenboard.catalog import CatalogFault, CatalogUnavailable, SchemaOutdated
from tokenboard.drain import PlanError
from tokenboard.event import SCHEMA_VERSION, encode_event, encode_parcel, join_events
from tokenboard.event_table import decode_parcel
from tokenboard.ledger import LedgerUnavailable

GOOD = [event(id=f"good-{number}", app_key=f"https://app{number % 3}.example") for number in range(6)]


def deliver(rig: Rig) -> bool:
    assert rig.drain is not None
    return rig.drain.deliver()


def test_events_reach_the_ledger_once_in_order_with_the_ids_of_their_apps(rig: Rig) -> None:
    rig.put(*(parcel(one) for one in GOOD))
    assert deliver(rig)
    assert not deliver(rig)
    assert [one.id for one in GOOD] == rig.ledger.column("id")
    apps = [rig.catalog.find(one.app_key or "").id for one in GOOD]
    assert apps == rig.ledger.column("app_id")
    assert (0, 0, None) == (rig.spool.state().pending, rig.spool.state().bytes, rig.spool.fixed())
    assert {"delivered.batches": 1, "delivered.events": 6} == rig.counters.read()
    assert 1 == rig.told


def test_unattributed_events_keep_their_reason_and_make_no_app(rig: Rig) -> None:
    rig.put(parcel(event(app_key=None, reason="missing_referer", title="Mine")))
    deliver(rig)
    assert ([0], ["missing_referer"]) == (rig.ledger.column("app_id"), rig.ledger.column("reason"))
    assert 0 == rig.catalog.apps().total


def test_titles_categories_and_late_events_reach_the_catalog(rig: Rig) -> None:
    late = NOON - 40 * DAY_MS
    rig.put(
        parcel(
            event(title="New", categories=("cli-agent",)), event(title="Old", categories=("ide-extension",), ts_ms=late)
        )
    )
    deliver(rig)
    app = rig.catalog.find("https://cline.bot")
    assert ("New", ("cli-agent", "ide-extension"), late) == (app.name, app.categories, app.first_seen_ms)
    (batch,) = rig.ledger.batches.values()
    assert (date(2025, 11, 22), date(2026, 1, 1)) == batch.days


def test_a_spool_is_emptied_in_batches_of_bounded_size(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenboard.drain.drain.MAX_BATCH", 10_000)
    for batch in range(3):
        rig.put(parcel(*(event(id=f"{batch}-{number}") for number in range(6_000))), events=6_000)
    assert 3 == rig.deliver_all()
    assert [6_000] * 3 == [rows.table.num_rows for rows in rig.ledger.batches.values()]


def test_a_single_parcel_larger_than_a_batch_comes_alone_and_the_catalog_takes_it_in_bites(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tokenboard.drain.drain.MAX_BATCH", 10_000)
    many = [event(id=str(number), app_key=f"https://app{number}.example") for number in range(12_000)]
    rig.put(parcel(*many), events=12_000)
    rig.put(parcel())
    assert 2 == rig.deliver_all()
    assert 12_001 == len(rig.ledger.column("id"))
    assert 0 == rig.spool.state().dead_letters


# --- retries --------------------------------------------------------------------------------------------------------


def test_a_batch_is_sent_again_unchanged_under_its_id_until_the_ledger_takes_it(rig: Rig) -> None:
    rig.put(parcel(GOOD[0]))
    rig.ledger.away = True
    for attempt in range(6):
        with pytest.raises(LedgerUnavailable):
            deliver(rig)
        rig.put(parcel(event(id=f"meanwhile-{attempt}")))
        if attempt % 2:
            rig.restart()
    rig.ledger.away = False
    assert 2 == rig.deliver_all()
    assert 1 == len(set(rig.ledger.sent[:7]))
    assert ["good-0", *(f"meanwhile-{attempt}" for attempt in range(6))] == rig.ledger.column("id")


Break = Callable[[Rig, pytest.MonkeyPatch], None]


def _break(part: str, step: str, how: Callable[..., Any]) -> Break:
    def break_(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        owner = rig if part == "rig" else getattr(rig, part)
        monkeypatch.setattr(owner, step, how(getattr(owner, step)))

    return break_


STEPS = [
    ("spool", "peek"),
    ("catalog", "observe"),
    ("spool", "fix"),
    ("ledger", "insert"),
    ("rig", "delivered"),
    ("spool", "ack"),
]


@pytest.mark.parametrize("how", [crash_before, crash_after], ids=["before", "after"])
@pytest.mark.parametrize(("part", "step"), STEPS, ids=[step for _, step in STEPS])
@pytest.mark.parametrize("restarts", [False, True], ids=["same process", "next process"])
def test_a_crash_at_any_step_loses_and_doubles_nothing(
    rig: Rig, part: str, step: str, how: Callable[..., Any], restarts: bool
) -> None:
    rig.put(*(parcel(one) for one in GOOD), b"garbage", parcel(event(id="long", app_key="https://" + "x" * 900)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        _break(part, step, how)(rig, monkeypatch)
        with pytest.raises(Crash):
            deliver(rig)
    rig.put(parcel(event(id="next")))
    if restarts:
        rig.restart()
    rig.deliver_all()
    assert [*(one.id for one in GOOD), "next"] == rig.ledger.column("id")
    assert 2 == rig.spool.state().dead_letters
    assert 0 == rig.spool.state().pending
    assert 4 == rig.catalog.apps().total
    apps = rig.ledger.column("app_id")
    assert apps[:3] == apps[3:6]


def test_a_new_apps_refusal_is_decided_once_whatever_the_limit_becomes_before_the_retry(rig: Rig) -> None:
    rig.restart(new_app_limit=1)
    rig.put(parcel(*GOOD[:3]), events=3)
    rig.ledger.away = True
    with pytest.raises(LedgerUnavailable):
        deliver(rig)
    rig.restart(new_app_limit=0)
    rig.ledger.away = False
    rig.deliver_all()
    first = rig.catalog.find("https://app0.example").id
    assert [first, 0, 0] == rig.ledger.column("app_id")
    assert ["", "new_app_limit", "new_app_limit"] == rig.ledger.column("reason")
    assert 1 == rig.catalog.apps().total


def test_a_fixed_batch_that_is_read_otherwise_now_is_held_back_and_not_sent_otherwise(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.put(parcel(*GOOD), events=6)
    rig.ledger.away = True
    with pytest.raises(LedgerUnavailable):
        deliver(rig)
    rig.ledger.away = False
    with monkeypatch.context() as patched:
        patched.setattr("tokenboard.drain.plan.decode_events", lambda body: decode_parcel(body)[1:])
        with pytest.raises(PlanError, match="6 events, and is read as 5") as caught:
            deliver(rig)
    assert caught.value.hint
    assert 1 == rig.deliver_all()
    assert 6 == len(rig.ledger.column("id"))


def test_a_batch_that_another_version_fixed_is_held_back_and_says_who_can_deliver_it(rig: Rig) -> None:
    rig.put(parcel(*GOOD), events=6)
    # A plan as programs wrote it before batches had numbers.
    rig.spool.fix(1, msgspec.msgpack.encode({"unread": [], "left_out": [], "app_ids": [0] * 6, "reasons": {}}))
    with pytest.raises(PlanError, match="another version") as caught:
        deliver(rig)
    assert "Run the version of tokenboard that fixed the batch" in caught.value.hint
    assert [] == rig.ledger.sent
    assert 6 == rig.spool.state().pending


# --- bad records ----------------------------------------------------------------------------------------------------


def newer_parcel() -> bytes:
    return msgspec.msgpack.encode((SCHEMA_VERSION + 1, [["something", "else"]]))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"garbage", "not a parcel"),
        (b"", "not a parcel"),
        (parcel()[:-1], "not a parcel"),
        (newer_parcel(), f"schema version {SCHEMA_VERSION + 1}"),
        (parcel(event(app_key="https://" + "x" * 900)), "key is empty or too long"),
        (parcel(event(app_key="")), "key is empty or too long"),
        (parcel(event(ts_ms=2**63)), "does not fit the ledger"),
        (parcel(event(ts_ms=-1)), "does not fit the ledger"),
        (parcel(event(prompt_tokens=-1)), "does not fit the ledger"),
        (parcel(event(key_id=2**40)), "does not fit the ledger"),
    ],
    ids=["garbage", "empty", "cut", "newer", "long key", "no key", "huge time", "time", "tokens", "key id"],
)
def test_a_bad_record_becomes_a_dead_letter_with_its_reason_and_the_others_flow(
    rig: Rig, bad: bytes, reason: str
) -> None:
    rig.put(parcel(GOOD[0]), bad, parcel(GOOD[1]))
    assert 1 == rig.deliver_all()
    assert ["good-0", "good-1"] == rig.ledger.column("id")
    (letter,) = rig.spool.dead_letters()
    assert reason in letter.reason
    assert bad == letter.body
    assert 1 == rig.counters.read()["dead_letters"]
    assert 2 == rig.catalog.apps().total
    rig.restart()
    assert 1 == rig.spool.state().dead_letters


def test_one_bad_event_of_a_parcel_becomes_a_dead_letter_alone(rig: Rig) -> None:
    bad = event(id="bad", ts_ms=-1)
    rig.put(parcel(GOOD[0], bad, GOOD[1]), events=3)
    rig.deliver_all()
    assert ["good-0", "good-1"] == rig.ledger.column("id")
    assert [encode_parcel((bad,))] == [letter.body for letter in rig.spool.dead_letters()]


def test_an_event_that_cannot_be_stored_never_names_or_dates_an_app(rig: Rig) -> None:
    rig.put(parcel(event(title="Ours")), parcel(event(title="Of the year 2200", ts_ms=7_258_118_400_000)))
    rig.deliver_all()
    assert "Ours" == rig.catalog.find("https://cline.bot").name


def test_a_spool_of_bad_records_only_is_emptied_too(rig: Rig) -> None:
    rig.put(b"garbage", b"more garbage")
    assert 1 == rig.deliver_all()
    assert (0, 2) == (rig.spool.state().pending, rig.spool.state().dead_letters)


def test_a_dead_letter_can_be_replayed_once_its_cause_is_mended(rig: Rig) -> None:
    body = parcel(GOOD[0], GOOD[1])
    rig.put(b"garbage", body, events=2)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("tokenboard.drain.plan.decode_events", lambda _: decode_parcel(b"unread"))
        rig.deliver_all()
    assert [] == rig.ledger.column("id")
    for letter in rig.spool.dead_letters():
        if letter.body != b"garbage":
            rig.spool.replay(letter.number, lambda body: len(decode_parcel(body)))
    rig.deliver_all()
    assert ["good-0", "good-1"] == rig.ledger.column("id")
    assert 1 == rig.spool.state().dead_letters


# --- the catalog's faults -------------------------------------------------------------------------------------------


def test_an_event_that_cannot_be_read_keeps_none_beside_it_from_delivery(rig: Rig) -> None:
    good = [encode_event(event(id=name)) for name in ("a", "c")]
    bad = msgspec.msgpack.encode(["b", "no time"])
    rig.put(join_events((good[0], bad, good[1])), events=3)
    deliver(rig)
    assert ["a", "c"] == rig.ledger.column("id")
    (letter,) = rig.spool.dead_letters()
    assert join_events((bad,)) == letter.body


def choking_on(rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception, *keys: str) -> list[int]:
    """Let the catalog fail whenever one of these apps is among the observations; return the sizes of its calls."""
    observe, sizes = rig.catalog.observe, list[int]()

    def choke(observations: Any) -> Any:
        sizes.append(len(observations))
        if any(observation.identity.key in keys for observation in observations):
            raise error
        return observe(observations)

    monkeypatch.setattr(rig.catalog, "observe", choke)
    return sizes


@pytest.mark.parametrize(
    "error", [CatalogFault("refused a statement: bad value"), OverflowError("too large\n[SQL: …]")]
)
def test_an_event_the_catalog_chokes_on_is_found_among_thousands_and_becomes_a_dead_letter(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    sizes = choking_on(rig, monkeypatch, error, "https://bad.example")
    events = [event(id=str(number), app_key="https://good.example") for number in range(3_000)]
    events[1234] = event(id="bad", app_key="https://bad.example")
    rig.put(parcel(*events), events=3_000)
    assert 1 == rig.deliver_all()
    assert 2_999 == len(rig.ledger.column("id"))
    (letter,) = rig.spool.dead_letters()
    assert letter.reason.startswith(f"the catalog refuses it: {type(error).__name__}: ")
    assert "SQL" not in letter.reason
    assert len(sizes) < 40


@pytest.mark.parametrize("error", [CatalogUnavailable("locked"), SchemaOutdated("no such table")])
def test_a_catalog_that_is_away_or_not_migrated_is_waited_for_and_nothing_becomes_a_dead_letter(
    rig: Rig, error: Exception
) -> None:
    rig.put(*(parcel(one) for one in GOOD))
    with pytest.MonkeyPatch.context() as monkeypatch:
        choking_on(rig, monkeypatch, error, *(one.app_key or "" for one in GOOD))
        with pytest.raises(type(error)):
            deliver(rig)
    assert (6, 0) == (rig.spool.state().pending, rig.spool.state().dead_letters)
    rig.deliver_all()
    assert 6 == len(rig.ledger.column("id"))


def test_an_only_event_with_a_value_the_catalog_cannot_hold_becomes_a_dead_letter(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    choking_on(rig, monkeypatch, OverflowError("too large"), "https://bad.example")
    rig.put(parcel(event(app_key="https://bad.example")))
    rig.deliver_all()
    assert (0, 1) == (rig.spool.state().pending, rig.spool.state().dead_letters)


@pytest.mark.parametrize("error", [CatalogFault("the file is damaged"), AttributeError("a mistake of ours")])
def test_a_catalog_that_refuses_everything_is_at_fault_itself_and_nothing_becomes_a_dead_letter(
    rig: Rig, error: Exception
) -> None:
    rig.put(*(parcel(one) for one in GOOD), parcel(event(id="unattributed", app_key=None, reason="missing_referer")))
    with pytest.MonkeyPatch.context() as monkeypatch:
        choking_on(rig, monkeypatch, error, *(one.app_key or "" for one in GOOD))
        with pytest.raises(type(error)):
            deliver(rig)
    assert (7, 0) == (rig.spool.state().pending, rig.spool.state().dead_letters)
    rig.deliver_all()
    assert 7 == len(rig.ledger.column("id"))
