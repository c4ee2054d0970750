"""Listeners at a shared port, and in a folder."""

import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tokenboard.supervisor import Listener, ServeError, listened_on, public_listeners, unix_listener
from tokenboard.unix_sockets import unix_address

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="sockets at one port share connections on Linux alone")


@contextmanager
def listening(count: int, port: int = 0) -> Iterator[list[Listener]]:
    listeners = public_listeners("127.0.0.1", port, count)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def port_of(listener: Listener) -> int:
    return int(listener.socket.getsockname()[1])


def connections(listeners: list[Listener], wanted: int) -> list[int]:
    """Connect so many times; return how many connections wait at each listener."""
    clients = [socket.create_connection(("127.0.0.1", port_of(listeners[0])), timeout=5) for _ in range(wanted)]
    counts = []
    for listener in listeners:
        listener.socket.setblocking(False)
        counts.append(0)
        while True:
            try:
                listener.socket.accept()[0].close()
            except BlockingIOError:
                break
            counts[-1] += 1
    for client in clients:
        client.close()
    return counts


@on_linux
def test_the_kernel_shares_connections_out_among_the_listeners_of_a_port() -> None:
    with listening(3) as listeners:
        assert 1 == len({port_of(listener) for listener in listeners})
        counts = connections(listeners, 150)
    assert 150 == sum(counts)
    assert min(counts) > 10


@on_linux
def test_a_withdrawn_listener_gets_no_connection_until_it_is_asked_for_again() -> None:
    with listening(2) as (first, second):
        assert second.withdraw()
        assert [20] == connections([first], 20)
        second.fileno()
        assert min(connections([first, second], 100)) > 10


@on_linux
def test_the_last_listener_of_a_port_cannot_be_withdrawn() -> None:
    with listening(2) as (first, second):
        assert first.withdraw()
        assert not first.withdraw()
        assert not second.withdraw()
        port = port_of(second)
        with pytest.raises(ServeError):
            public_listeners("127.0.0.1", port)


def test_a_listener_alone_cannot_be_withdrawn() -> None:
    with listening(1) as (only,):
        assert not only.withdraw()
        assert [5] == connections([only], 5)


@pytest.mark.parametrize("theirs", [1, 2])
@pytest.mark.parametrize("ours", [1, 2])
def test_a_port_that_somebody_else_has_is_not_shared_with_them(theirs: int, ours: int) -> None:
    with listening(theirs) as others:
        port = port_of(others[0])
        with pytest.raises(ServeError, match=rf"^cannot listen on '127.0.0.1' port {port}: Address already in use$"):
            public_listeners("127.0.0.1", port, ours)


def test_a_closed_listener_stays_closed() -> None:
    with listening(2) as (first, _):
        first.close()
        with pytest.raises(ServeError):
            first.fileno()


@pytest.mark.parametrize("folder", ["short", "d" * 200])
def test_a_unix_listener_takes_connections_at_any_path_and_only_from_its_user(tmp_path: Path, folder: str) -> None:
    file = tmp_path / folder / "board.socket"
    file.parent.mkdir()
    listener = unix_listener(file)
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    with socket.socket(socket.AF_UNIX) as client, unix_address(file) as address:
        client.connect(address)
        listener.socket.accept()[0].close()
    assert [file.name] == os.listdir(file.parent)
    listener.close()
    assert [] == os.listdir(file.parent)


def test_a_socket_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "board.socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(file))
    unix_listener(file).close()


def test_a_unix_socket_at_which_somebody_listens_is_not_taken_from_them(tmp_path: Path) -> None:
    file = tmp_path / "board.socket"
    listener = unix_listener(file)
    with pytest.raises(ServeError, match="another process listens on"):
        unix_listener(file)
    listener.close()


@pytest.mark.parametrize("by_another", [False, True])
def test_a_unix_listener_whose_file_is_gone_is_lost_until_its_socket_is_asked_for(
    tmp_path: Path, by_another: bool
) -> None:
    file = tmp_path / "run" / "board.socket"
    file.parent.mkdir()
    listener = unix_listener(file)
    lost = [listener.lost]
    file.unlink()
    if by_another:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(file))
    else:
        file.parent.rmdir()
    lost.append(listener.lost)
    with socket.socket(socket.AF_UNIX) as client:
        reopened = listener.socket
        client.connect(str(file))
        reopened.accept()[0].close()
    lost.append(listener.lost)
    assert [False, True, False] == lost
    listener.close()
    assert not file.exists()


def test_a_file_that_another_process_listens_at_by_now_is_left_to_it(tmp_path: Path) -> None:
    file = tmp_path / "board.socket"
    first = unix_listener(file)
    file.unlink()
    second = unix_listener(file)
    first.close()
    assert listened_on(file)
    second.close()


@pytest.mark.parametrize("name", ["taken", "missing/board.socket", "n" * 300])
def test_a_path_that_cannot_hold_a_socket_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("kept")
    with pytest.raises(ServeError, match=str(tmp_path)):
        unix_listener(tmp_path / name)
    assert "kept" == (tmp_path / "taken").read_text()
