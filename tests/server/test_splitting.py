"""However the bytes are cut, the requests are the same; whatever the bytes are, the machine gets over them."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.machine_rig import Driver
from tests.server.rig import Asked
from tests.server.strategies import requests
from tests.server.test_smuggling import HARMLESS, REFUSED
from tokenboard.server import Limits
from tokenboard.server.states import Event, Inbound, Order, Outbound

PATIENT = Limits(max_pipelined=100)
READ = 65_536


def feed(pieces: list[bytes]) -> Driver:
    """Hand these pieces to a machine, as far as it takes them."""
    driver = Driver(PATIENT)
    for piece in pieces:
        if driver.open:
            driver.feed(piece)
    return driver


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    return [stream[a:b] for a, b in pairwise(sorted({0, len(stream), *places}))]


@settings(max_examples=250, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=5), st.data())
def test_any_cut_of_the_bytes_gives_the_same_requests(sent: list[tuple[bytes, Asked]], data: st.DataObject) -> None:
    stream = b"".join(raw for raw, _ in sent)

    driver = feed(cut(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=12))))

    assert ([each for _, each in sent], True) == (driver.asked, driver.open)
    assert len(sent) == driver.written.count(b"HTTP/1.1 200 OK\r\n")


@settings(max_examples=40, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=2))
def test_bytes_that_come_one_by_one_give_the_same_requests(sent: list[tuple[bytes, Asked]]) -> None:
    stream = b"".join(raw for raw, _ in sent)

    driver = feed([stream[at : at + 1] for at in range(len(stream))])

    assert [each for _, each in sent] == driver.asked


lengths = st.lists(
    st.sampled_from([b"", b"a", b"hello", b"GET / HTTP/1.1\r\n\r\n", b"x" * 120]), min_size=2, max_size=8
)
field = st.sampled_from([b"Content-Length: %b\r\n", b"content-length:%b\r\n", b"CONTENT-LENGTH:  0%b\r\n"])


@settings(max_examples=250, deadline=None)
@given(lengths, field, st.data())
def test_a_head_that_comes_again_with_another_length_is_read_as_if_it_were_the_first(
    bodies: list[bytes], written: bytes, data: st.DataObject
) -> None:
    head = b"POST /a?b HTTP/1.1\r\nHost: board\r\n" + written + b"X-Title: t\r\n\r\n"
    sent = [head % (b"%d" % len(body)) + body for body in bodies]
    alone = [asked for each in sent for asked in feed([each]).asked]
    stream = b"".join(sent)

    driver = feed(cut(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=8))))

    assert (alone, True) == (driver.asked, driver.open)
    assert bodies == [asked.body for asked in driver.asked]


@pytest.mark.parametrize("behind", [b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: %b\r\n\r\n"])
@pytest.mark.parametrize(
    "digits", [b"", b"+3", b"-3", b"3 3", b"0x3", b"3,3", b"3\t3", b"18446744073709551621", b"3\n"]
)
def test_a_known_head_with_a_length_that_is_no_plain_number_is_refused(behind: bytes, digits: bytes) -> None:
    driver = feed([behind % b"3" + b"abc", behind % b"3" + b"abc", behind % digits + b"abc"])

    assert (2, False) == (driver.written.count(b"HTTP/1.1 200 OK"), driver.open)
    assert 1 == driver.written.count(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize("name", [name for name in REFUSED if "without end" not in name])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_what_is_refused_first_is_refused_behind_good_requests_too(name: str, before: int) -> None:
    data, status = REFUSED[name]
    good = [b"POST / HTTP/1.1\r\nHost: board\r\nContent-Length: 5\r\n\r\nhello"] * before

    driver = feed([*good, *[data[at : at + READ] for at in range(0, len(data), READ)]])

    assert (before, False) == (driver.written.count(b"HTTP/1.1 200 OK"), driver.open)
    assert (1, before) == (driver.written.count(b"HTTP/1.1 %d " % status), len(driver.asked))


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_odd_but_clear_is_so_wherever_it_is_cut(name: str) -> None:
    data, *expected = HARMLESS[name]
    for at in range(1, len(data)):
        driver = feed([data[:at], data[at:]])
        (asked,) = driver.asked
        assert expected == [asked.method, asked.raw_path, asked.body]


noise = st.binary(min_size=1, max_size=60) | st.text("GET/ HTP1.0:\r\n\t\x00;", min_size=1, max_size=60).map(str.encode)


@settings(max_examples=400, deadline=None)
@given(st.lists(noise, min_size=1, max_size=6), requests(), st.integers(0, 200))
def test_no_bytes_crash_the_machine_and_what_is_refused_ends_the_connection(
    pieces: list[bytes], good: tuple[bytes, Asked], at: int
) -> None:
    driver = feed([good[0], good[0][:at], *pieces])

    refused = driver.written.count(b"HTTP/1.1 4") + driver.written.count(b"HTTP/1.1 5")
    assert refused <= 1
    assert not refused or not driver.open
    assert good[1] == driver.asked[0]
    assert len(driver.asked) == driver.written.count(b"HTTP/1.1 200 OK\r\n")


ACTS = ["feed", "answer", "piece", "wait", "hold", "go_on", "fail", "take", "end", "wind_down"]


@settings(max_examples=400, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=6), st.lists(st.sampled_from(ACTS), max_size=40), st.data())
def test_whatever_happens_in_whatever_order_a_connection_ends_and_its_answers_are_in_order(
    sent: list[tuple[bytes, Asked]], acts: list[str], data: st.DataObject
) -> None:
    """The machine itself raises on a step that its table does not know."""
    stream = b"".join(raw for raw, _ in sent)
    pieces = cut(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    driver = Driver(Limits(max_pipelined=data.draw(st.sampled_from([1, 16]))), prompt=False)
    machine = driver.machine
    for act in acts:
        request = machine.current
        answers = request is not None and not request.complete
        if act == "feed" and pieces and not machine.paused and machine.inbound is not Inbound.ENDED:
            driver.feed(pieces.pop(0))
        elif act == "answer" and answers and driver.current().whole:
            if driver.current().status:
                driver.write(driver.current(), b"", last=True)
            else:
                driver.answer()
        elif act == "piece" and answers:
            if not driver.current().status:
                driver.begin()
            driver.write(driver.current(), b"piece", last=False)
        elif act == "wait":
            driver.wait(data.draw(st.sampled_from([0.5, 11.0, 31.0, 76.0])))
        elif act == "hold":
            machine.hold_up(10, driver.now)
        elif act == "go_on":
            machine.go_on(driver.now)
        elif act == "fail" and answers:
            machine.fail(driver.current(), 500, "a fault", driver.now)
        elif act == "take" and answers:
            machine.take(driver.current(), driver.now)
        elif act == "end":
            machine.ended(driver.now)
        elif act == "wind_down":
            machine.wind_down(driver.now)
        driver.settle()
        if not driver.open:
            assert driver.orders
    driver.lose()

    assert (Outbound.CLOSED, Inbound.ENDED, None) == (machine.outbound, machine.inbound, machine.current)
    following = iter(asked.raw_path for _, asked in sent)
    assert all(asked.raw_path in following for asked in driver.asked)  # each behind the one before it
    assert driver.log.count(Event.STARTED) <= len(sent)
    assert driver.orders.count(Order.CLOSE) <= 1
