"""A supervisor with real children: restarts, endings and what is passed on."""

import itertools
import os
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.board import wait_for
from tests.supervisor.supervision import ended, supervising

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks into /proc")

GATEWAY: dict[str, Any] = {"name": "gateway-1", "run": ["serve"], "group": 1}
BOARD: dict[str, Any] = {"name": "board", "run": ["serve"], "group": 2}


def ask(port: int) -> str:
    """Return the name of the process that answers, and its id."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        return connection.makefile().read()


def test_a_process_that_ends_is_started_again_after_waits_that_double(tmp_path: Path) -> None:
    pace = {"first_s": 0.05, "longest_s": 0.2}
    with supervising(tmp_path, {"name": "board", "run": ["flaky", "3"]}, pace=pace) as supervision:
        starts = [said["at"] for said in supervision.wait_for_event("start", count=5)[:5]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
        assert [True] * 4 == [gap >= wait for gap, wait in zip(gaps, (0.05, 0.1, 0.2, 0.2), strict=True)]
        said = supervision.log()[0]
    assert ("supervisor", "a process ended unexpectedly and is restarted") == (said["process"], said["message"])
    assert ("board", 3, 0.05) == (said["child"], said["exit_code"], said["again_in_s"])


def test_restarts_are_told_at_a_bounded_rate_with_their_signal(tmp_path: Path) -> None:
    with supervising(tmp_path, BOARD) as supervision:
        for run in range(1, 6):
            supervision.wait_until_ready("board", runs=run)
            os.kill(supervision.pids("board")[-1], signal.SIGKILL)
        supervision.wait_until_ready("board", runs=6)
        first, ready = supervision.log()
    assert ("SIGKILL", "a restarted process is ready", "board") == (first["signal"], ready["message"], ready["child"])


@pytest.mark.parametrize("code", [1, 2])
def test_a_first_start_that_is_refused_ends_everything_with_its_code(tmp_path: Path, code: int) -> None:
    with supervising(tmp_path, GATEWAY, {"name": "board", "run": ["refuse", str(code)], "group": 2}) as supervision:
        assert code == supervision.wait()
        assert 1 == len(supervision.events("start", "board"))
        pids = [said["pid"] for said in supervision.events("start")]
        assert all(ended(pid) for pid in pids)
        assert "error: board refuses" in supervision.stderr()


def test_a_refusal_after_a_first_run_that_was_ready_is_no_end(tmp_path: Path) -> None:
    child = {"name": "board", "run": ["once", str(tmp_path / "ran")]}
    with supervising(tmp_path, child) as supervision:
        supervision.wait_for_event("start", count=4)
        assert supervision.process.poll() is None


def test_a_first_start_ended_by_a_signal_is_tried_again(tmp_path: Path) -> None:
    child = {"name": "board", "run": ["die", str(tmp_path / "ran")]}
    with supervising(tmp_path, child) as supervision:
        supervision.wait_until_ready("board")
        assert 0 == supervision.stop()


def test_a_program_that_cannot_be_started_is_told_and_tried_again(tmp_path: Path) -> None:
    with supervising(tmp_path, {"name": "board", "argv": ["/nowhere/to/be/found"]}, GATEWAY) as supervision:
        wait_for(supervision.log, 20, supervision.explain)
        said = supervision.log()[0]
        assert ("a process cannot be started", "board") == (said["message"], said["child"])
        supervision.wait_until_ready("gateway-1")
        assert 0 == supervision.stop()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_lower_group_has_ended_before_the_next_is_told_to(tmp_path: Path, how: signal.Signals) -> None:
    with supervising(tmp_path, BOARD, GATEWAY, GATEWAY | {"name": "gateway-2"}) as supervision:
        supervision.wait_until_ready("board", "gateway-1", "gateway-2")
        supervision.send(how)
        assert 0 == supervision.wait()
        told = [(name, said["event"]) for name, said in supervision.told() if said.get("event") in {"term", "end"}]
    assert [("board", "term"), ("board", "end")] == told[-2:]
    assert [(name, event) for name in ("gateway-1", "gateway-2") for event in ("end", "term")] == sorted(told[:-2])


def test_a_hangup_that_was_ignored_stays_so(tmp_path: Path) -> None:
    with supervising(tmp_path, BOARD, ignore_hup=True) as supervision:
        supervision.wait_until_ready("board")
        supervision.send(signal.SIGHUP)
        os.kill(supervision.pids("board")[0], signal.SIGKILL)
        supervision.wait_until_ready("board", runs=2)
        assert 0 == supervision.stop()


def test_a_second_signal_goes_on_to_those_that_are_ending(tmp_path: Path) -> None:
    with supervising(tmp_path, GATEWAY | {"run": ["patient"]}, BOARD) as supervision:
        supervision.wait_until_ready("gateway-1", "board")
        supervision.send(signal.SIGTERM)
        supervision.wait_for_event("term", "gateway-1")
        supervision.send(signal.SIGTERM)
        assert 0 == supervision.wait()
        assert 2 == len(supervision.events("term", "gateway-1"))
        assert 1 == len(supervision.events("term", "board"))


def test_a_process_that_does_not_end_in_time_is_killed_and_the_others_still_end(tmp_path: Path) -> None:
    deaf = {"name": "gateway-1", "run": ["deaf"], "end_within_s": 0.3}
    with supervising(tmp_path, deaf, BOARD) as supervision:
        supervision.wait_until_ready("gateway-1", "board")
        assert 1 == supervision.stop()
        assert 1 == len(supervision.events("end", "board"))
        said = supervision.log()[-1]
    assert ("error", "a process does not end and is killed", "gateway-1") == (
        said["level"],
        said["message"],
        said["child"],
    )


def test_a_process_that_waits_for_its_restart_does_not_hold_up_the_end(tmp_path: Path) -> None:
    pace = {"first_s": 60.0, "longest_s": 60.0}
    with supervising(tmp_path, {"name": "board", "run": ["flaky", "1"]}, GATEWAY, pace=pace) as supervision:
        supervision.wait_until_ready("gateway-1", "board")
        wait_for(supervision.log, 20, supervision.explain)
        began = time.monotonic()
        assert 0 == supervision.stop()
        assert time.monotonic() - began < 10


def test_when_the_supervisor_is_killed_its_children_end(tmp_path: Path) -> None:
    children: list[dict[str, Any]] = [
        {"name": name, "run": ["serve", str(tmp_path / f"{name}.end")]} for name in ("gateway-1", "gateway-2", "board")
    ]
    with supervising(tmp_path, *children) as supervision:
        supervision.wait_until_ready("gateway-1", "gateway-2", "board")
        supervision.send(signal.SIGKILL)
        supervision.wait()
        pids = [supervision.pids(child["name"])[0] for child in children]
        wait_for(lambda: all(ended(pid) for pid in pids), 20, supervision.explain)
    assert ["cut"] * 3 == [(tmp_path / f"{child['name']}.end").read_text() for child in children]


def test_connections_that_wait_at_a_killed_process_are_taken_by_its_next_run(tmp_path: Path) -> None:
    public = [GATEWAY | {"name": f"gateway-{number}", "public": True} for number in (1, 2)]
    with supervising(tmp_path, *public) as supervision:
        supervision.wait_until_ready("gateway-1", "gateway-2")
        before = [supervision.pids(name)[0] for name in ("gateway-1", "gateway-2")]
        for pid in before:
            os.kill(pid, signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", supervision.port), timeout=20) for _ in range(40)]
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        answers = []
        for connection in waiting:
            with connection, connection.makefile() as answer:
                answers.append(answer.read())
        supervision.wait_until_ready("gateway-1", "gateway-2", runs=2)
        after = [f"{name} {supervision.pids(name)[1]}" for name in ("gateway-1", "gateway-2")]
        assert after == sorted(set(answers))
        assert 0 == supervision.stop()


def test_a_process_that_keeps_failing_is_left_out_of_the_shared_port(tmp_path: Path) -> None:
    pace = {"first_s": 0.02, "longest_s": 60.0, "withdraw_s": 0.1}
    children = [GATEWAY | {"public": True}, {"name": "gateway-2", "run": ["flaky", "1"], "public": True}]
    with supervising(tmp_path, *children, pace=pace) as supervision:
        supervision.wait_until_ready("gateway-1")
        # It waits 0.02, 0.04, 0.08 s, then 0.16 and 0.32 without its listener, which is there again in between.
        supervision.wait_until_ready("gateway-2", runs=6)
        pid = supervision.pids("gateway-2")[-1]
        wait_for(lambda: pid not in supervision.children(), 20, supervision.explain)
        assert {f"gateway-1 {supervision.pids('gateway-1')[0]}"} == {ask(supervision.port) for _ in range(20)}
        assert 0 == supervision.stop()


def test_nobody_can_connect_to_a_process_that_is_ending(tmp_path: Path) -> None:
    public = [GATEWAY | {"run": ["patient"], "public": True}, {"name": "gateway-2", "run": ["serve"], "public": True}]
    with supervising(tmp_path, *public) as supervision:
        supervision.wait_until_ready("gateway-1", "gateway-2")
        port = supervision.port
        supervision.send(signal.SIGTERM)
        supervision.wait_for_event("end", "gateway-2")
        os.kill(supervision.pids("gateway-1")[0], signal.SIGKILL)
        assert 1 == supervision.wait()
        with pytest.raises(ConnectionRefusedError):
            ask(port)


def test_what_is_no_status_is_left_out_and_told_and_the_rest_is_heard(tmp_path: Path) -> None:
    with supervising(tmp_path, {"name": "board", "run": ["babble"]}) as supervision:
        supervision.wait_until_ready("board")
        assert [{"half": "whole"}] == [said for _, said in supervision.told() if "half" in said]
        assert ["a process told its status in a form that cannot be read"] == [
            said["message"] for said in supervision.log()
        ]
        assert 0 == supervision.stop()


def test_a_callback_that_fails_ends_nothing(tmp_path: Path) -> None:
    with supervising(tmp_path, BOARD, fail_to_hear=True) as supervision:
        supervision.wait_until_ready("board")
        assert ["a status could not be handled"] == [said["message"] for said in supervision.log()]
        assert 0 == supervision.stop()


def test_a_child_inherits_its_own_descriptors_and_no_other(tmp_path: Path) -> None:
    children: list[dict[str, Any]] = [
        {"name": "gateway-1", "run": ["leaky"], "public": True},
        {"name": "gateway-2", "run": ["serve"], "public": True},
        {"name": "board", "run": ["serve"], "socket": str(tmp_path / "board.socket")},
    ]
    with supervising(tmp_path, *children) as supervision:
        supervision.wait_until_ready("gateway-1", "gateway-2", "board")
        # Standard input, output and error; lifeline and status; one listener.
        expected = ["/dev/null", str(tmp_path / "told"), str(tmp_path / "log"), "pipe", "pipe", "socket"]
        for child in children:
            told = supervision.wait_for_event("descriptors", child["name"])[0]["opened"]
            assert sorted(expected) == sorted(told.values()), child["name"]
        inherited = supervision.wait_for_event("inherited", "gateway-1")[0]["by"]
        assert ["0", "1", "2"] == inherited


def test_restarts_leave_no_zombie_and_no_descriptor_behind(tmp_path: Path) -> None:
    with supervising(tmp_path, GATEWAY | {"public": True}, BOARD) as supervision:
        supervision.wait_until_ready("gateway-1", "board")
        before = supervision.descriptors()
        for run in range(1, 6):
            supervision.wait_until_ready("gateway-1", "board", runs=run)
            for name in ("gateway-1", "board"):
                os.kill(supervision.pids(name)[-1], signal.SIGKILL)
        supervision.wait_until_ready("gateway-1", "board", runs=6)
        assert {supervision.pids(name)[-1] for name in ("gateway-1", "board")} == set(supervision.children())
        assert before == supervision.descriptors()


def test_orphans_that_become_the_supervisors_own_are_waited_for(tmp_path: Path) -> None:
    with supervising(tmp_path, {"name": "board", "run": ["parent"]}, adopt=True) as supervision:
        supervision.wait_for_event("left alone")
        os.kill(supervision.pids("board")[0], signal.SIGKILL)
        wait_for(lambda: len(supervision.children()) == 2, 20, supervision.explain)
        supervision.wait_for_event("left alone", count=2)
        second = supervision.pids("board")[1]
        wait_for(lambda: [second] == list(supervision.children()), 20, supervision.explain)
        assert 0 == supervision.stop()


def test_a_child_leads_a_session_of_its_own_so_that_ctrl_c_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    with supervising(tmp_path, BOARD) as supervision:
        said = supervision.wait_for_event("start")[0]
        assert said["pid"] == said["sid"]


def test_a_child_that_nobody_can_reach_any_more_is_restarted_with_a_new_socket(tmp_path: Path) -> None:
    file = tmp_path / "run" / "board.sock"
    file.parent.mkdir()
    with supervising(tmp_path, {"name": "board", "run": ["serve"], "socket": str(file)}) as supervision:
        supervision.wait_until_ready("board")
        shutil.rmtree(file.parent)
        supervision.wait_until_ready("board", runs=2)
        assert file.is_socket()
        assert ["board"] == [line["child"] for line in supervision.log() if "socket of a process" in line["message"]]
        assert 0 == supervision.stop()
    assert not file.exists()
