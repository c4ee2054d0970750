import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.events import event
from tests.shipping.voyage import Board, Ship
from tokenboard.event import encode_event
from tokenboard.shipping import (
    MAX_SHIPMENT,
    Answer,
    Ask,
    Outcome,
    Send,
    Shipment,
    ShipmentError,
    ShippingError,
    decode_answer,
    decode_shipment,
    encode_answer,
    encode_shipment,
    look,
    refuse_shipped,
    settle,
)
from tokenboard.spool import SpoolError


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "board")
    yield board
    board.spool.close()


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    ship = Ship(tmp_path / "spool" / "gateway-1")
    yield ship
    ship.close()


def sent(ship: Ship, board: Board) -> Send:
    """Return the shipment that leaves once the board was asked."""
    message = ship.shipper.next()
    if isinstance(message, Ask):
        ship.shipper.answered(board.answer(message))
        message = ship.shipper.next()
    assert isinstance(message, Send)
    return message


def test_what_is_shipped_is_let_go_and_nothing_is_sent_while_nothing_is_there(ship: Ship, board: Board) -> None:
    ship.deliver(board)
    assert ship.shipper.next() is None
    ship.record(40)
    ship.deliver(board)
    ship.restart()
    ship.deliver(board)
    ship.writer.refresh()
    assert (ship.recorded, 0, 40) == (board.events(), ship.writer.held().events, ship.counters.read()["shipped.events"])


def test_a_board_that_was_restored_gets_what_the_journal_still_has_and_is_told_what_it_has_no_more(
    ship: Ship, board: Board, tmp_path: Path
) -> None:
    ship.record(5)
    ship.deliver(board)
    board.spool.close()
    shutil.copytree(board.folder, tmp_path / "backup")
    board.open()
    for _ in range(6):  # so many that whole segments are let go
        ship.record(10)
        ship.deliver(board)
    ship.record(3)
    board.spool.close()
    shutil.rmtree(board.folder)
    shutil.copytree(tmp_path / "backup", board.folder)
    board.open()
    ship.deliver(board)
    assert 1 == ship.counters.read()["shipping.set_back"]
    lost = board.counters.read()["missing.journal"]
    assert 0 < lost < 60
    there = board.events()
    assert (len(ship.recorded) - lost, len(set(there))) == (len(there), len(there))
    assert (ship.recorded[:5], ship.recorded[-3:]) == (there[:5], there[-3:])


def test_a_copy_of_the_folder_is_refused_and_costs_the_first_one_nothing(
    ship: Ship, board: Board, tmp_path: Path
) -> None:
    ship.record(4)
    ship.deliver(board)
    ship.close()
    shutil.copytree(ship.folder, tmp_path / "other" / "gateway-1")
    ship.restart()
    copy = Ship(tmp_path / "other" / "gateway-1")
    try:
        ship.record(2)
        ship.deliver(board)
        copy.record(3)
        copy.deliver(board)
        refused = copy.shipper.standing().refused
        assert refused is not None
        assert "noted 6 events of this journal, and this folder knows of 4" in refused
        assert 1 == copy.counters.read()["shipping.refused"]
        assert isinstance(copy.shipper.next(), Ask)
        ship.record(1)
        ship.deliver(board)
        assert ship.recorded == board.events()
    finally:
        copy.close()


def test_while_another_run_ships_the_journal_this_one_only_asks(ship: Ship, board: Board) -> None:
    ship.record()
    message = sent(ship, board)
    ship.shipper.answered(Answer(Outcome.HELD, board.spool.id, None, "The other one is at 10.0.0.7."))
    assert "The other one is at 10.0.0.7." == ship.shipper.standing().held
    assert isinstance(ship.shipper.next(), Ask)
    ship.deliver(board)
    assert (None, ship.recorded) == (ship.shipper.standing().held, board.events())
    assert message.events == 1


def test_what_one_board_may_have_no_other_gets_until_an_operator_says_so(
    ship: Ship, board: Board, tmp_path: Path
) -> None:
    other = Board(tmp_path / "other")
    try:
        ship.record(2)
        sent(ship, board)
        ship.shipper.unanswered()
        ship.restart()
        for _ in range(3):
            message = ship.shipper.next()
            assert isinstance(message, Ask)
            ship.shipper.answered(other.answer(message))
            assert board.spool.id == ship.shipper.standing().waits_for
        assert [] == other.events()
        with pytest.raises(SpoolError, match="is open in process"):
            settle(ship.folder, taken=False)
        ship.close()
        assert board.spool.id == settle(ship.folder, taken=False).writer
        with pytest.raises(ShippingError, match="no shipment is under way"):
            settle(ship.folder, taken=True)
        ship.restart()
        ship.deliver(other)
        assert ship.recorded == other.events()
    finally:
        other.spool.close()


def test_an_operator_who_knows_that_a_lost_board_had_it_ships_only_what_follows(
    ship: Ship, board: Board, tmp_path: Path
) -> None:
    other = Board(tmp_path / "other")
    try:
        ship.record(2)
        board.answer(sent(ship, board))
        ship.close()
        under_way = settle(ship.folder, taken=True)
        assert (2, 2) == (under_way.tries[-1].events, look(ship.folder).done.seq)
        ship.restart()
        ship.record(1)
        ship.deliver(other)
        assert ship.recorded[2:] == other.events()
    finally:
        other.spool.close()


def test_what_a_board_has_certainly_not_taken_goes_to_the_one_that_answers(
    ship: Ship, board: Board, tmp_path: Path
) -> None:
    other = Board(tmp_path / "other")
    try:
        ship.record(2)
        message = sent(ship, board)
        answer = other.answer(message)
        assert Outcome.ELSEWHERE is answer.outcome
        ship.shipper.answered(answer)
        ship.deliver(other)
        assert (ship.recorded, []) == (other.events(), board.events())
    finally:
        other.spool.close()


def test_a_full_spool_takes_nothing_and_says_so(ship: Ship, board: Board) -> None:
    ship.record(2)
    message = sent(ship, board)
    board.spool.note_elsewhere(10**9)
    assert Outcome.FULL is board.answer(message).outcome
    assert [] == board.events()


def test_what_is_no_event_becomes_a_dead_letter_and_spoils_no_other(board: Board) -> None:
    bodies = (encode_event(event(id="a")), b"\xc1 nothing", encode_event(event(id="b")))
    shipment = Shipment("j", "i", board.spool.id, None, '[1,1,3,1,"t"]', bodies, damaged=(("torn", b"x"),))
    assert Outcome.TAKEN is board.shipments.take(shipment, "gateway").outcome
    letters = {letter.reason for letter in board.spool.dead_letters()}
    assert (["a", "b"], {"torn", "it is no event that this program reads"}) == (board.events(), letters)


@pytest.mark.parametrize("spoil", [lambda data: data[:-3], lambda data: data[:30] + b"?" + data[31:], lambda _: b"{}"])
def test_a_shipment_whose_bytes_have_changed_on_the_way_is_none(spoil: object) -> None:
    whole = encode_shipment(Shipment("j", "i", "w", None, "n", (encode_event(event()),)))
    assert callable(spoil)
    with pytest.raises(ShipmentError):
        decode_shipment(spoil(whole))


def test_a_small_body_that_unpacks_to_a_large_one_is_refused_unread() -> None:
    bomb = encode_shipment(Shipment("j", "i", "w", None, "n", (bytes(MAX_SHIPMENT),)))
    assert len(bomb) < 10_000
    with pytest.raises(ShipmentError, match="at most"):
        decode_shipment(bomb)


def test_a_proxys_page_is_no_answer() -> None:
    answer = Answer(Outcome.TAKEN, "w", "c")
    assert answer == decode_answer(encode_answer(answer))
    with pytest.raises(ShipmentError):
        decode_answer(b"<html>502 Bad Gateway</html>")


def test_a_journal_that_is_shipped_is_nobody_elses_and_a_lost_note_is_told(ship: Ship, board: Board) -> None:
    with pytest.raises(ShippingError, match="ships its usage to a board on another machine"):
        refuse_shipped(ship.folder.parent)
    ship.record()
    ship.deliver(board)
    note = ship.folder / "shipping.json"
    held = json.loads(note.read_text())
    note.unlink()
    with pytest.raises(ShippingError, match="is missing"):
        ship.restart()
    note.write_text(json.dumps(held | {"journal": "another"}))
    with pytest.raises(ShippingError, match="another journal"):
        look(ship.folder)
