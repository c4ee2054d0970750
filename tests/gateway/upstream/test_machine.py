"""The machine alone: bytes and a clock that the tests make up go in, events and deadlines come out."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tokenboard.gateway.upstream import FirstByteTimeout, IdleTimeout, Limits, ResponseBroken, Timeouts, UpstreamError
from tokenboard.gateway.upstream.exchange import Exchange
from tokenboard.gateway.upstream.machine import TRANSITIONS, Event, Machine, Signal, State

LIMITS = Limits(max_connections=1, max_idle=1, idle_keepalive_s=30.0, max_header_bytes=8_192, high_water=65_536)
TIMEOUTS = Timeouts(connect_s=1.0, first_byte_s=60.0, idle_s=30.0)
NOW = 1_000.0
REQUEST = b"GET / HTTP/1.1\r\nHost: up\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def machine(limits: Limits = LIMITS) -> Machine:
    return Machine("up", limits, TIMEOUTS)


def started(*, bodiless: bool = False, limits: Limits = LIMITS) -> tuple[Machine, Exchange]:
    """Return a machine that has sent its first request, and the exchange of that."""
    made = machine(limits)
    made.start(REQUEST, b"", NOW, bodiless=bodiless)
    assert made.exchange is not None
    return made, made.exchange


def between(made: Machine) -> None:
    """Carry a machine over one answer, so that it is a kept connection's."""
    made.start(REQUEST, b"", NOW)
    assert Event.ENDED is made.receive(HELLO)
    made.release(NOW + 30)


@dataclass
class Told:
    """What a reader was told of one answer, whatever the pieces in which it came."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    reusable: bool = False
    error: type[UpstreamError] | None = None
    events: list[Event] = field(default_factory=list)


def told(pieces: list[bytes], *, closes: bool = False, bodiless: bool = False) -> Told:
    made, exchange = started(bodiless=bodiless)
    found = Told()
    for piece in pieces:
        if not exchange.open:
            made.release(NOW) if made.state is State.ENDED and made.reusable else made.close()
            found.reusable = False  # what follows an answer is for nobody
            assert Event.CLOSED is made.receive(piece)
            break
        status, size = exchange.status, exchange.size
        happened = made.receive(piece)
        found.events.append(happened)
        news = (exchange.status, exchange.size) != (status, size)
        assert (happened in {Event.ARRIVED, Event.FLOODED}) == (news and exchange.open)
        if exchange.chunks:
            found.body += exchange.take()
        found.reusable = made.reusable
    if closes and exchange.open:
        found.events.append(made.end_of_stream(None, clean=True, untouched=False))
        found.reusable = made.reusable
    found.status, found.headers, found.complete = exchange.status, exchange.headers, exchange.complete
    found.error = type(exchange.error) if exchange.error is not None else None
    assert exchange.open == (not exchange.complete and exchange.error is None)
    assert exchange.open or math.isinf(made.deadline)
    assert (made.state is State.ENDED) <= exchange.complete
    return found


@dataclass(frozen=True)
class Answer:
    """An answer's bytes and what it means."""

    wire: bytes
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    until_close: bool
    reusable: bool


TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEF-", min_size=1, max_size=12).map(lambda name: b"X-" + name.encode())
VALUES = st.text("abcdef \t09;=,/\xe9", max_size=20).map(lambda value: value.strip().encode("latin-1"))
FIELDS = st.lists(st.tuples(TOKENS, VALUES), max_size=6)
INTERIM = st.sampled_from([100, 102, 103])


def fields_on_the_wire(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in fields)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    status = draw(st.sampled_from([200, 201, 204, 301, 304, 400, 404, 429, 500, 503, 599]))
    headers = draw(FIELDS)
    body = b"" if status in {204, 304} else draw(st.binary(max_size=200))
    framing = draw(st.sampled_from(["length", "chunked", "until close"])) if status not in {204, 304} else "none"
    closes = draw(st.booleans())
    wire = b"".join(
        b"HTTP/1.1 %d Wait\r\n" % interim + fields_on_the_wire(draw(FIELDS)) + b"\r\n"
        for interim in draw(st.lists(INTERIM, max_size=3))
    )
    if framing == "length":
        headers = [*headers, (b"Content-Length", b"%d" % len(body))]
    elif framing == "chunked":
        headers = [*headers, (b"Transfer-Encoding", b"chunked")]
    if closes:
        headers = [*headers, (b"Connection", b"close")]
    wire += b"HTTP/1.1 %d Told\r\n" % status + fields_on_the_wire(headers) + b"\r\n"
    if framing == "chunked":
        rest = body
        while rest:
            size = draw(st.integers(1, len(rest)))
            wire += b"%x%b\r\n%b\r\n" % (size, draw(st.sampled_from([b"", b";n=1"])), rest[:size])
            rest = rest[size:]
        wire += b"0\r\n" + fields_on_the_wire(draw(FIELDS)) + b"\r\n"
    else:
        wire += body
    return Answer(wire, status, headers, body, framing == "until close", not closes and framing != "until close")


def cut(wire: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(wire) + 1) for place in places} | {len(wire)})
    return [wire[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]


CUTS = st.lists(st.integers(0, 5_000), max_size=8)


def trimmed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value.rstrip()) for name, value in headers]


@given(answers(), CUTS)
def test_however_an_answer_is_cut_its_reader_is_told_the_same(answer: Answer, places: list[int]) -> None:
    found = told(cut(answer.wire, places), closes=answer.until_close)
    expected = (answer.status, answer.headers, answer.body, True, answer.reusable, None)
    assert expected == (
        found.status,
        trimmed(found.headers),
        found.body,
        found.complete,
        found.reusable,
        found.error,
    )
    assert Event.ENDED is found.events[-1]


@pytest.mark.parametrize(
    "wire",
    [
        HELLO,
        b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: </x>\r\n\r\n" + HELLO,
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-T: 1\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
    ],
)
def test_each_single_cut_and_all_of_them_at_once_tell_the_same(wire: bytes) -> None:
    whole = told([wire])
    assert [Event.ENDED] == whole.events
    for pieces in [[wire[:place], wire[place:]] for place in range(1, len(wire))] + [[bytes([byte]) for byte in wire]]:
        found = told(pieces)
        found.events = whole.events
        assert whole == found


@given(answers(), st.integers(0, 5_000), st.booleans())
def test_an_early_close_is_an_end_only_where_the_close_is_the_framing(answer: Answer, place: int, clean: bool) -> None:
    wire = answer.wire[: place % len(answer.wire)]
    made, exchange = started()
    if wire:
        made.receive(wire)
    if not exchange.open:
        return  # its last bytes were an empty body's
    before = made.state
    happened = made.end_of_stream(None if clean else ConnectionResetError(), clean=clean, untouched=False)
    body = exchange.take() if exchange.chunks else b""
    event(f"{before.name} {happened.name}")
    assert answer.body.startswith(body)
    if clean and answer.until_close and exchange.status:
        assert (Event.ENDED, True, False) == (happened, exchange.complete, made.reusable)
    else:
        assert (Event.CLOSED, State.CLOSED) == (happened, made.state)
        assert isinstance(exchange.error, ResponseBroken)
        assert (not wire) == exchange.error.before_response
        assert not exchange.stale


@given(answers(), st.integers(0, 5_000), st.binary(min_size=1, max_size=4), CUTS, st.booleans())
def test_a_spoiled_answer_harms_nobody_and_is_told_alike_however_it_is_cut(
    answer: Answer, place: int, noise: bytes, places: list[int], closes: bool
) -> None:
    place %= len(answer.wire) + 1
    wire = answer.wire[:place] + noise + answer.wire[place + len(noise) :]
    whole, pieces = told([wire], closes=closes), told(cut(wire, places), closes=closes)
    assert (whole.complete, whole.error) == (pieces.complete, pieces.error)
    if whole.complete:
        assert (whole.status, whole.headers, whole.body) == (pieces.status, pieces.headers, pieces.body)
    if not whole.complete or whole.error is not None:
        assert not whole.reusable


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_noise_is_never_an_answer(pieces: list[bytes]) -> None:
    found = told([piece for piece in pieces if piece], closes=True)
    assert (0, b"", False) == (found.status, found.body, found.complete)


@given(st.lists(answers().filter(lambda answer: answer.reusable), min_size=1, max_size=5), CUTS)
def test_one_connection_gives_each_request_its_own_answer(play: list[Answer], places: list[int]) -> None:
    made = machine()
    for answer in play:
        made.start(REQUEST, b"", NOW)
        exchange = made.exchange
        assert exchange is not None
        for piece in cut(answer.wire, places):
            happened = made.receive(piece)
        assert (Event.ENDED, True) == (happened, made.reusable)
        assert answer.body == (exchange.take() if exchange.chunks else b"")
        assert answer.status == exchange.status
        made.release(NOW + 30)


@given(answers(), st.binary(min_size=1, max_size=40))
def test_what_follows_an_answer_makes_the_connection_unfit(answer: Answer, more: bytes) -> None:
    if answer.until_close or more.startswith((b"\r", b"\n")):  # llhttp skips empty lines before a head
        return
    found = told([answer.wire + more])
    if more[:1] == b"H"[: len(more)]:
        return  # perhaps a further head, of which only the beginning is there
    assert (True, False) == (found.complete, found.reusable)


def test_a_further_answer_in_the_same_read_makes_the_connection_unfit() -> None:
    assert (b"hello", True, False) == ((found := told([HELLO + HELLO])).body, found.complete, found.reusable)


def test_what_arrives_unasked_for_closes_the_connection() -> None:
    made = machine()
    between(made)
    assert Event.CLOSED is made.receive(b"H")
    assert State.CLOSED is made.state


def test_a_whole_answer_in_one_read_is_one_event_with_the_head_and_the_body_there() -> None:
    made, exchange = started()
    assert Event.ENDED is made.receive(HELLO)
    assert (200, b"hello", True) == (exchange.status, exchange.take(), exchange.complete)
    assert made.reusable


def test_more_unread_bytes_than_the_high_water_mark_are_told() -> None:
    made, exchange = started()
    assert Event.ARRIVED is made.receive(OK + b"Content-Length: 200000\r\n\r\n" + bytes(65_536))
    assert Event.FLOODED is made.receive(b"x")
    exchange.take()
    assert Event.ARRIVED is made.receive(b"x")


# -- what is sent


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537])
def test_a_request_is_written_in_one_piece_unless_it_is_large(size: int) -> None:
    made = machine()
    pieces = made.start(REQUEST, bytes(size), NOW)
    assert REQUEST + bytes(size) == b"".join(pieces)
    assert (2 if size > 65_536 else 1) == len(pieces)
    assert len(REQUEST) + size == made.sent


def test_a_second_request_on_a_connection_that_is_not_free_is_a_mistake() -> None:
    made, _ = started()
    with pytest.raises(RuntimeError, match="not free"):
        made.start(REQUEST, b"", NOW)


# -- HEAD


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Content-Length: 0\r\n"])
def test_an_answer_to_head_ends_with_its_head_and_the_next_one_has_its_body(framing: bytes) -> None:
    made, exchange = started(bodiless=True)
    assert Event.ENDED is made.receive(OK + framing + b"\r\n")
    assert (200, b"", True, True) == (exchange.status, b"".join(exchange.chunks), exchange.complete, made.reusable)
    made.release(NOW + 30)
    between(made)


@pytest.mark.parametrize(
    "wire",
    [
        OK + b"Content-Length: 5\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Connection: close\r\nContent-Length: 5\r\n\r\n",
        OK + b"\r\n",
    ],
)
def test_an_answer_to_head_that_leaves_doubt_about_its_end_is_the_last_of_its_connection(wire: bytes) -> None:
    found = told([wire], bodiless=True)
    assert (200, b"", True, False) == (found.status, found.body, found.complete, found.reusable)


# -- the clock


def test_the_head_has_its_time_from_the_request_on_and_bytes_of_it_do_not_put_that_off() -> None:
    made, exchange = started()
    assert NOW + 60 == made.deadline
    for piece in (b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 200"):
        assert Event.NOTHING is made.receive(piece)
        assert NOW + 60 == made.deadline
    assert Event.CLOSED is made.expire(NOW + 60, 0)
    assert isinstance(exchange.error, FirstByteTimeout)
    assert (True, False) == (exchange.error.sent, exchange.error.before_response)


def test_a_silent_upstream_has_given_no_byte_of_a_response() -> None:
    made, exchange = started()
    made.expire(NOW + 60, 0)
    assert exchange.error is not None
    assert exchange.error.before_response


def test_the_body_has_its_time_only_while_somebody_waits_for_it() -> None:
    made, exchange = started()
    made.receive(OK + b"Content-Length: 6\r\n\r\n")
    assert math.isinf(made.deadline)
    made.await_body(NOW + 100)
    assert NOW + 130 == made.deadline
    made.receive(b"hello")
    assert math.isinf(made.deadline)
    made.await_body(NOW + 200)
    made.stop_clock()
    assert math.isinf(made.deadline)
    made.await_body(NOW + 300)
    assert Event.CLOSED is made.expire(NOW + 330, 0)
    assert isinstance(exchange.error, IdleTimeout)
    assert b"hello" == exchange.take()


def test_chunk_framing_without_content_does_not_put_the_idle_deadline_off() -> None:
    made, _ = started()
    made.receive(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    made.await_body(NOW)
    assert Event.NOTHING is made.receive(b"1;")
    assert NOW + 30 == made.deadline


def test_a_kept_connection_is_kept_until_its_time() -> None:
    made = machine()
    between(made)
    assert NOW + 30 == made.deadline
    assert Event.CLOSED is made.expire(NOW + 30, 0)


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=8))
def test_a_large_request_has_its_time_anew_as_long_as_it_is_written_further(unsent: list[int]) -> None:
    made, exchange = started()
    made.writing_is_held_up(1_000_001)
    least, now = 1_000_001, NOW
    for left in unsent:
        now += 60
        happened = made.expire(now, left)
        if left >= least:
            assert Event.CLOSED is happened
            assert isinstance(exchange.error, FirstByteTimeout)
            return
        assert (Event.NOTHING, now + 60) == (happened, made.deadline)
        least = left
    made.writing_goes_on(now)
    assert now + 60 == made.deadline
    assert Event.CLOSED is made.expire(now + 60, 0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(b"", None), (b"Keep-Alive: timeout=10\r\n", 8.0), (b"Keep-Alive: max=3, Timeout = 0\r\n", 0.0)],
)
def test_an_upstreams_own_keep_alive_time_is_used_up_to_a_margin(header: bytes, seconds: float | None) -> None:
    made, _ = started()
    made.receive(OK + header + b"Content-Length: 0\r\n\r\n")
    assert seconds == made.keep_alive_s


# -- a kept connection that the upstream had closed


@pytest.mark.parametrize(
    ("kept", "wire", "cause", "untouched", "stale"),
    [
        (True, b"", None, True, True),
        (True, b"", None, False, False),
        (True, b"", ConnectionResetError(), True, False),
        (True, b"H", None, True, False),
        (False, b"", None, True, False),
    ],
)
def test_only_a_kept_connection_that_ended_unheard_and_untouched_was_stale(
    kept: bool, wire: bytes, cause: Exception | None, untouched: bool, stale: bool
) -> None:
    made = machine()
    if kept:
        between(made)
    made.start(REQUEST, b"", NOW)
    exchange = made.exchange
    assert exchange is not None
    if wire:
        made.receive(wire)
    assert Event.CLOSED is made.end_of_stream(cause, clean=cause is None, untouched=untouched)
    assert stale == exchange.stale


# -- the table


def test_every_state_can_be_reached_and_all_but_the_last_left() -> None:
    reached = {State.IDLE}
    while more := {to for state in reached for to in TRANSITIONS[state].values()} - reached:
        reached |= more
    assert set(State) == reached == TRANSITIONS.keys()
    assert all(State.CLOSED is steps[Signal.CLOSE] for steps in TRANSITIONS.values())
    assert {Signal.CLOSE: State.CLOSED} == TRANSITIONS[State.CLOSED]


STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=20),
        st.sampled_from([HELLO, HELLO[:20], HELLO[20:], OK, b"\r\n", b"Content-Length: 5\r\n\r\n", b"hello"]),
        st.sampled_from(["start", "head", "release", "close", "abandon", "expire", "eof", "cut", "wait", "rest"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_in_whatever_order_its_state_and_its_exchange_agree(steps: list[bytes | str]) -> None:
    made = machine()
    now = NOW
    exchanges: list[Exchange] = []
    for step in steps:
        before = made.state
        now += 1
        if isinstance(step, bytes):
            happened = made.receive(step)
            assert (happened is Event.ENDED) <= (made.state is State.ENDED)
            assert (happened is Event.CLOSED) == (made.state is State.CLOSED)
        elif step in {"start", "head"}:
            if before is State.IDLE:
                made.start(REQUEST, b"", now, bodiless=step == "head")
                assert made.exchange is not None
                exchanges.append(made.exchange)
        elif step == "release":
            if before is State.ENDED and made.reusable:
                made.release(now + 30)
        elif step == "expire":
            if made.deadline <= now + 100:
                made.expire(now + 100, 0)
                assert State.CLOSED is made.state
        elif step == "eof":
            made.end_of_stream(None, clean=True, untouched=True)
        elif step == "cut":
            made.end_of_stream(ConnectionResetError(), clean=False, untouched=True)
        elif step == "wait":
            if before is State.BODY:
                made.await_body(now)
        elif step == "rest":
            made.stop_clock()
        elif step == "close":
            made.close()
        else:
            made.abandon()
        under_way = made.state in {State.SENT, State.HEAD, State.BODY}
        assert under_way == (made.exchange is not None)
        assert made.exchange is None or made.exchange is exchanges[-1]
        assert all(one.complete != (one.error is not None) or one.open for one in exchanges)
        assert all(not one.open for one in exchanges[:-1]) or made.state is State.CLOSED
        if made.state is State.CLOSED:
            assert math.isinf(made.deadline)
