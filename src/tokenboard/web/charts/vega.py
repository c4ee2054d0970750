"""The board's side of the process that draws: started when needed, ended when it is late or has nothing to do."""

import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

_HEAD: Final = struct.Struct(">cI")
_WORKER: Final = Path(__file__).with_name("worker.py")
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "FONTCONFIG_PATH", "FONTCONFIG_FILE")
_GRACE_S: Final = 2.0


class DrawingFailed(Exception):
    """Nothing was drawn; says why: in Vega's words, or that the process took too long or went away."""


class Vega:
    """Draws, one thing at a time; to be used by one thread, but for `kill`.

    ``patience`` is how long one drawing may take, in seconds, a new process' start included: half a second, and 110 MB.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def svg(self, spec: bytes) -> str:
        """Return Vega's SVG of a Vega-Lite description. Raises DrawingFailed."""
        return self._ask(b"s", spec).decode()

    def png(self, svg: str) -> bytes:
        """Return a PNG of an SVG, as large as it says it is. Raises DrawingFailed."""
        return self._ask(b"p", svg.encode("utf-8", "replace"))

    def kill(self) -> None:
        """End the process at once; what it is drawing fails. From any thread."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Let the process end, as there is nothing more for it to do; the next drawing starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what could not be written to a process that is gone
                    continue
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _ask(self, kind: bytes, content: bytes) -> bytes:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it went away while there was nothing to do
        try:
            process = self._process = self._process or _started()
        except OSError as error:
            raise DrawingFailed(f"no process to draw with: {error}") from error
        begun = time.monotonic()
        watch = threading.Timer(self._patience, process.kill)
        watch.daemon = True
        watch.start()
        try:
            code, found = _exchange(process, kind, content)
        except (OSError, EOFError) as error:
            late = time.monotonic() - begun >= self._patience
            self.close()
            why = f"took more than {self._patience:g} s" if late else f"ended with status {process.returncode}"
            raise DrawingFailed(f"the process that draws {why}") from error
        finally:
            watch.cancel()
        if code != b"k":
            raise DrawingFailed(found.decode("utf-8", "replace"))
        return found


def _started() -> subprocess.Popen[bytes]:
    # Of the environment only what an interpreter and fonts need: the board's has secrets in it.
    return subprocess.Popen(  # noqa: S603 - our own interpreter and file
        [sys.executable, "-I", str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    )


def _exchange(process: subprocess.Popen[bytes], kind: bytes, content: bytes) -> tuple[bytes, bytes]:
    asked, answered = process.stdin, process.stdout
    if asked is None or answered is None:
        raise EOFError("no pipes")
    asked.write(_HEAD.pack(kind, len(content)) + content)
    asked.flush()
    head = answered.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise EOFError("no answer")
    code, length = _HEAD.unpack(head)
    found = answered.read(length)
    if len(found) < length:
        raise EOFError("half an answer")
    return code, found
