"""A program's processes are told apart by their command lines, moved by their roles, and counted by them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.gateway.group import Group

from tests.board import wait_for

_SERVE = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "-c", sys.argv[2], role, "--fd", "3"]) for role in sys.argv[3:]]
sys.stdin.read()
for child in children:
    child.kill()
    child.wait()
"""
_IDLE = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start(); input()"
_SPIN = "import sys\nwhile sys.argv[1] == 'gateway': pass\nimport time; time.sleep(60)"


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[Group]:
    """A process of the role ``serve`` that has started two gateways and a board, doing what the test says."""
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("this system does not tell the children of a process")
    command = [sys.executable, "-c", _SERVE, "serve", request.param, "gateway", "board", "gateway"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        group = Group(process.pid)
        try:
            wait_for(lambda: sorted(group.roles().values()) == ["board", "gateway", "gateway", "serve"])
            yield group
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


@pytest.mark.parametrize("serve", ["import time; time.sleep(60)"], indirect=True)
def test_roles_are_read_from_command_lines_and_memory_is_summed_by_them(serve: Group) -> None:
    assert {"serve": 1, "gateway": 2, "board": 1} == dict(serve.counted())
    assert {"serve", "gateway", "board"} == serve.resident().keys()
    assert all(size > 1 << 20 for size in serve.resident().values())


@pytest.mark.parametrize("serve", [_SPIN], indirect=True)
def test_cpu_time_is_summed_by_role(serve: Group) -> None:
    begun = serve.usage()
    wait_for(lambda: serve.usage().since(begun)["gateway"] > 0.2)
    spent = serve.usage().since(begun)
    assert spent["board"] < 0.1 < spent["gateway"]
    assert spent["serve"] < 0.1


@pytest.mark.parametrize("serve", [_IDLE], indirect=True)
def test_processes_with_their_threads_are_moved_by_role_those_of_one_role_in_turn(serve: Group) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        pytest.skip("this machine has one core")
    first, second = (frozenset({core}) for core in cores)
    serve.pin(lambda role: [first, second] if role == "gateway" else [second])
    found = {
        pid: {frozenset(os.sched_getaffinity(int(thread))) for thread in os.listdir(f"/proc/{pid}/task")}
        for pid in serve.roles()
    }
    by_role: dict[str, list[set[frozenset[int]]]] = {}
    for pid, role in serve.roles().items():
        by_role.setdefault(role, []).append(found[pid])
    assert {"serve": [{second}], "board": [{second}], "gateway": [{first}, {second}]} == by_role


def test_a_process_that_says_none_of_the_roles_is_a_proxy() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", "--gateway"], stdin=subprocess.PIPE) as process:
        assert {process.pid: "proxy"} == Group(process.pid).roles()


def test_what_has_ended_has_no_role_and_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        group = Group(process.pid)
    assert {} == group.roles()
    assert {} == group.resident()
