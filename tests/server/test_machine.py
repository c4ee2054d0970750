"""The machine by itself: its deadlines, its ends, and what it keeps in mind, by a clock that the test sets."""

import math

import pytest

from tests.server.machine_rig import CLIENT, Driver
from tests.server.rig import statuses
from tokenboard.http_fields.peer import read_peer, write_peer
from tokenboard.server import Limits
from tokenboard.server.machine import Machine
from tokenboard.server.states import INBOUND_WAYS, OUTBOUND_WAYS, Event, Inbound, Order, Outbound

GET = b"GET / HTTP/1.1\r\nHost: board\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: 5000\r\n\r\n"
LIMITS = Limits(header_timeout_s=10, body_timeout_s=30, keep_alive_s=75, write_timeout_s=60, linger_s=5)


def test_the_tables_know_every_state_and_every_state_can_be_reached_and_ended() -> None:
    assert (set(Inbound), set(Outbound)) == (set(INBOUND_WAYS), set(OUTBOUND_WAYS))
    assert set(Inbound) - {Inbound.IDLE} <= set().union(*INBOUND_WAYS.values())
    assert all(Inbound.ENDED in ways for state, ways in INBOUND_WAYS.items() if state is not Inbound.ENDED)
    assert all(Outbound.CLOSED in ways for state, ways in OUTBOUND_WAYS.items() if state is not Outbound.CLOSED)


def test_a_step_that_the_table_does_not_know_is_a_fault() -> None:
    machine: Machine = Driver().machine
    with pytest.raises(AssertionError, match="no way"):
        machine.turn_outbound(Outbound.SENDING)


def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    driver = Driver(LIMITS)
    driver.wait(9.9)
    assert [] == driver.orders
    driver.wait(0.2)
    assert ([Order.CLOSE], b"") == (driver.orders, driver.written)


def test_a_head_gains_no_time_by_trickling_and_a_kept_connection_has_time_of_its_own() -> None:
    driver = Driver(LIMITS)
    driver.feed(GET)
    assert 75.0 == driver.machine.deadline
    driver.wait(70)
    for byte in GET[:9]:
        driver.feed(bytes([byte]))
        driver.wait(1)
    assert driver.open
    driver.wait(1)
    assert (False, True) == (driver.open, driver.written.startswith(b"HTTP/1.1 200 OK"))
    assert 1 == driver.written.count(b"HTTP/1.1 408 ")


def test_a_body_has_time_for_each_kib_and_none_is_counted_while_nobody_takes_it() -> None:
    driver = Driver(LIMITS, prompt=False)
    driver.feed(POST)
    for _ in range(4):
        driver.wait(29)
        driver.feed(bytes(1_024))
    driver.wait(29)
    assert (driver.now + 1, Outbound.ANSWERING) == (driver.machine.deadline, driver.machine.outbound)
    driver.wait(2)
    assert ([Event.STARTED, Event.PARTED], [Order.SHUT]) == (driver.log[:: len(driver.log) - 1], driver.orders)
    assert (True, ["refused_requests.408"]) == (b"HTTP/1.1 408 " in driver.written, driver.counted)

    full = Driver(Limits(high_water=100), prompt=False)
    full.feed(POST + bytes(200))
    assert (True, math.inf) == (full.machine.paused, full.machine.deadline)
    full.machine.take(full.current(), full.now)
    assert (False, 30.0) == (full.machine.paused, full.machine.deadline)


def test_nothing_is_due_while_an_answer_is_made_and_a_client_that_takes_nothing_of_it_is_cut_off() -> None:
    driver = Driver(LIMITS, prompt=False)
    driver.feed(GET)
    assert math.inf == driver.machine.deadline
    driver.write(driver.begin(), b"piece", last=False)
    driver.unsent = 100
    driver.machine.hold_up(100, driver.now)
    driver.wait(59)
    driver.unsent = 50  # it took something
    driver.wait(60)
    assert [] == driver.orders
    driver.wait(2)
    assert [Order.ABORT] == driver.orders
    driver.lose()
    assert [Event.STARTED, Event.PARTED, Event.WRITABLE] == driver.log
    assert ["clients_left.answer"] == driver.counted


def test_a_refused_client_may_read_its_answer_for_a_while_and_no_longer() -> None:
    driver = Driver(LIMITS)
    driver.feed(b"NONSENSE\r\n\r\n")
    assert ([Order.SHUT], Outbound.LINGERING) == (driver.orders, driver.machine.outbound)
    driver.feed(bytes(1_000))
    driver.wait(5)
    assert [Order.SHUT, Order.ABORT] == driver.orders


def test_a_client_that_ends_before_its_request_does_is_told_of_and_counted() -> None:
    driver = Driver(LIMITS, prompt=False)
    driver.feed(POST)
    driver.end()
    assert ([Event.STARTED, Event.LEFT], ["clients_left.request"]) == (driver.log, driver.counted)
    driver.write(driver.begin(), b"late")
    assert (True, [Order.CLOSE]) == (driver.written.endswith(b"connection: close\r\n\r\nlate"), driver.orders)


def test_an_answer_of_which_the_length_is_broken_is_cut_and_one_that_ends_with_the_connection_is_reset() -> None:
    driver = Driver(prompt=False)
    driver.feed(b"GET / HTTP/1.0\r\n\r\n")
    driver.write(driver.begin(), b"abc", last=False)
    driver.machine.fail(driver.current(), 500, "a fault", driver.now)
    driver.settle()
    assert ([Order.RESET], [Event.STARTED, Event.PARTED]) == (driver.orders, driver.log)


def test_requests_wait_their_turn_and_a_refusal_comes_behind_them_even_when_the_client_does_not_keep_up() -> None:
    driver = Driver(prompt=False)
    driver.feed(GET)
    driver.machine.hold_up(10, driver.now)
    driver.answer()
    driver.feed(GET)  # waits, as the answer before it has not left
    driver.feed(b"BAD\r\n\r\n")
    assert (1, None, []) == (driver.log.count(Event.STARTED), driver.machine.current, driver.orders)
    driver.machine.go_on(driver.now)
    driver.settle()
    driver.answer()
    assert [200, 200, 400] == statuses(driver.written)


def test_what_was_worked_out_from_a_head_is_there_for_the_next_that_is_the_same_but_for_its_length() -> None:
    driver = Driver(prompt=False)
    head = b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: %d\r\n\r\n"
    memos = []
    for data in (head % 1 + b"a", head % 10 + b"0123456789", head.replace(b"board", b"other") % 1 + b"a"):
        driver.feed(data)
        memos.append(driver.current().head.memo)
        driver.answer()
    assert (True, False) == (memos[0] is memos[1], memos[1] is memos[2])
    assert [(b"content-length", b"1"), (b"content-length", b"10")] == [asked.headers[1] for asked in driver.asked[:2]]


def test_a_known_head_may_not_outgrow_the_limit_by_its_length() -> None:
    head = b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: %b\r\n\r\n"
    driver = Driver(Limits(max_header_bytes=len(b"/Hostboard    Content-Length1    ")))
    driver.feed(head % b"1" + b"a", head % b"2" + b"aa")
    assert 2 == len(driver.asked)
    driver.feed(head % b"0002" + b"aa")
    assert (False, True) == (driver.open, b"HTTP/1.1 431 " in driver.written)


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ([b"192.0.2.7:65535"], ("192.0.2.7", 65535)),
        ([b"[2001:db8::1]:80"], ("2001:db8::1", 80)),
        ([], None),
        ([b"192.0.2.7"], None),
        ([b"192.0.2.7:65536"], None),
        ([b"192.0.2.7:1", b"192.0.2.8:1"], None),
    ],
)
def test_a_peer_is_believed_where_it_may_be_told_and_taken_out_everywhere(
    told: list[bytes], client: tuple[str, int] | None
) -> None:
    data = GET[:-2] + b"".join(b"X-Tokenboard-Peer: " + value + b"\r\n" for value in told) + b"\r\n"
    for peer_told, expected in ((True, client), (False, CLIENT)):
        driver = Driver(prompt=False, peer_told=peer_told)
        driver.feed(data)
        head = driver.current().head
        assert (expected, [(b"host", b"board")]) == (head.client, head.headers)


@pytest.mark.parametrize("client", [("192.0.2.7", 1), ("2001:db8::1", 65535)])
def test_a_peer_is_read_as_it_was_written(client: tuple[str, int]) -> None:
    assert client == read_peer(write_peer(client))
