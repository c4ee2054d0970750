"""`tokenboard migrate`, in a process of its own: the embedded ledger allows one folder a process."""

from pathlib import Path

from tests.board import BoardProcess


def test_stores_are_made_and_then_found_up_to_date_and_doctor_agrees(tmp_path: Path) -> None:
    board = BoardProcess(tmp_path / "data")

    first, second = board.run("migrate"), board.run("migrate")

    assert "catalog: 0001, 0002, 0003, 0004\nledger: up to date\n" == first
    assert "catalog: up to date\nledger: up to date\n" == second
    assert "ledger\tok: 0 days with usage\n" in board.run("doctor")
