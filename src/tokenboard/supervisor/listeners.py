"""Listening sockets that outlive the processes accepting from them."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tokenboard.unix_sockets import unix_address

BACKLOG: Final = 2048


class ServeError(Exception):
    """The server cannot start."""

    hint = "Choose another address or port with --host and --port."


class UnixSocketError(ServeError):
    """A socket in the data folder cannot be made."""

    hint = "Check that no other tokenboard serves this data folder, and that the folder can be written."


class Listener:
    """A listening socket, kept open by the supervisor so that connections wait while its process restarts.

    One that shares its port (SO_REUSEPORT) can be withdrawn: the kernel then gives new connections to the others.
    One whose file is removed or replaced is ``lost``: nobody can connect to it any more.
    """

    def __init__(self, opened: socket.socket, *, port: "_Port | None" = None, file: Path | None = None) -> None:
        self._socket: socket.socket | None = opened
        self._port = port
        self._file = file
        self._inode = None if file is None else _inode_of(file)
        if port is not None:
            port.open_now += 1

    @property
    def lost(self) -> bool:
        """Whether it has a file, and that file is gone or another one."""
        return self._file is not None and _inode_of(self._file) != self._inode

    @property
    def socket(self) -> socket.socket:
        """The socket; reopened if it was withdrawn or lost.

        Raises:
            ServeError: it cannot be opened.

        """
        if self._file is not None and self.lost:
            with contextlib.suppress(OSError):  # what is wrong with it is told by the next line
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = _listen_at(self._file)
            self._close()
            self._socket, self._inode = opened, _inode_of(self._file)
        if self._socket is None:
            if self._port is None:
                raise ServeError("the listener has been closed")
            self._socket = self._port.open()
            self._port.open_now += 1
        return self._socket

    def fileno(self) -> int:
        """Return the socket's descriptor; raises as `socket` does."""
        return self.socket.fileno()

    def withdraw(self) -> bool:
        """Close the socket until it is next used, if it shares its port; connections in its queue are reset.

        The last one open at a port stays, so that no other program can take the port. Return whether it was closed.
        """
        if self._port is None or self._port.open_now < 2 or self._socket is None:
            return False
        self._close()
        return True

    def close(self) -> None:
        """Close the socket for good, and remove its file. A process that has inherited it keeps its own copy."""
        self._close()
        self._port = None
        if self._file is not None:
            if not self.lost:
                self._file.unlink(missing_ok=True)
            self._file = None

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            if self._port is not None:
                self._port.open_now -= 1


class _Port:
    """A port that several listeners share."""

    def __init__(self, host: str, family: int, address: Any) -> None:
        self._host = host
        self._family = family
        self._address = address
        self.open_now = 0

    def open(self) -> socket.socket:
        with _told(self._host, self._address[1]):
            return _listen(self._family, self._address, shared=True)


def public_listeners(host: str, port: int, count: int = 1) -> list[Listener]:
    """Return ``count`` listeners at one port; port 0 is a free one.

    On Linux each is a socket of its own, and the kernel distributes connections among them. Other systems do not, so
    there all are one socket.

    Raises:
        ServeError: the address cannot be listened on, such as a port that another process has.

    """
    with _told(host, port):
        (family, _, _, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        first = _listen(family, address, shared=False)
        if count == 1:
            return [Listener(first)]
        if sys.platform != "linux":
            return [Listener(first if number == 0 else first.dup()) for number in range(count)]
        # The first took the port exclusively, which fails where anyone else listens, even another serve: sockets that
        # share from the beginning would share with that as well. Now that the port is ours it may be shared.
        opened = [first]
        try:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared = _Port(host, family, first.getsockname())
            opened += [_listen(family, first.getsockname(), shared=True) for _ in range(count - 1)]
        except BaseException:
            for each in opened:
                each.close()
            raise
        return [Listener(each, port=shared) for each in opened]


def unix_listener(file: Path) -> Listener:
    """Return a listener at a path that only this user may connect to. A dead process's socket there is replaced.

    Raises:
        UnixSocketError: it cannot be created, or a running process listens there.

    """
    return Listener(_listen_at(file), file=file)


def listened_on(file: Path) -> bool:
    """Whether a process listens on the Unix socket ``file``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            with unix_address(file) as address:
                client.connect(address)
        except BlockingIOError:
            # A full queue has a listener.
            return True
        except OSError:
            return False
        return True


def _listen_at(file: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Created under another name and renamed once it listens: whoever finds it can connect to it.
    new = file.with_name(f"{file.name}.new")
    try:
        if listened_on(file):
            raise UnixSocketError(f"another process listens on {file}")
        if file.exists() and not file.is_socket():
            raise UnixSocketError(f"{file} is there and is no socket")
        new.unlink(missing_ok=True)
        with unix_address(new) as address:
            listener.bind(address)
        new.chmod(0o600)
        listener.listen(BACKLOG)
        new.replace(file)
    except OSError as error:
        listener.close()
        raise UnixSocketError(f"cannot listen on {file}: {error.strerror or error}") from error
    except BaseException:
        listener.close()
        raise
    return listener


def _inode_of(file: Path) -> tuple[int, int] | None:
    """Return which file it is, None when there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(family: int, address: Any, *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def _told(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        # A host with an empty or overlong label is a UnicodeError.
        reason = getattr(error, "strerror", None) or error
        raise ServeError(f"cannot listen on {host!r} port {port}: {reason}") from error
