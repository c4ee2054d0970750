"""Drawing made into bytes, off every request's way, kept as long as there is room.

    svg(drawing) ─▶ kept? ─▶ its bytes
                    being drawn? ─▶ waits for the same ─▶ its bytes
                    else ─▶ queue ─▶ one thread ─▶ Vega, a process of its own ─▶ our SVG, or a PNG ─▶ kept ─▶ its bytes

Neither the event loop nor a page's HTML waits for a drawing: pages name their drawings, browsers fetch them.
"""

import queue
import threading
from collections import OrderedDict
from concurrent.futures import CancelledError, Future
from enum import Enum
from typing import Final

from tokenboard.observability import logger
from tokenboard.problem import Problem
from tokenboard.web.charts.drawing import Drawing, Picture, describe
from tokenboard.web.charts.svg import fixed, themed
from tokenboard.web.charts.vega import DrawingFailed, Vega

RETRY_AFTER_S: Final = 2
"""What ``Retry-After`` says when a drawing is not to be had yet."""

_BESIDE: Final = 500  # bytes that a drawing takes beside its own: its key and its place among the others
_log = logger("web")
_Key = tuple[str, "_Form"]
_Job = tuple[_Key, Drawing | Picture, "Future[bytes]"]


class RenderError(Problem):
    """A drawing is not to be had: 503 with ``Retry-After`` when too much is asked for, 500 when it cannot be drawn."""


class _Form(Enum):
    SVG = "svg"
    PNG = "png"


class Renderer:
    """Draws charts and pictures; safe to call from any thread, and blocks: not to be called on an event loop.

    ``capacity`` is how many bytes of finished drawings are kept, keys included, the least recently asked for leave
    first; ``waiting`` how many may wait to be drawn; ``patience`` how long a caller waits, and how long one drawing may
    take; after ``idle`` without work the process that draws is ended, and its memory is free; all in seconds. Owns one
    thread and that process, from the first drawing or `start` until `close`.
    """

    def __init__(
        self,
        *,
        capacity: int = 32 * 2**20,
        waiting: int = 64,
        patience: float = 10.0,
        idle: float = 900.0,
    ) -> None:
        self._capacity = capacity
        self._patience = patience
        self._idle = idle
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()
        self._size = 0
        self._under_way: dict[_Key, Future[bytes]] = {}
        self._queue: queue.Queue[_Job | None] = queue.Queue(waiting)
        self._vega = Vega(patience)
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Start the process that draws, for the first drawing not to wait a second for it; returns at once.

        Safe and cheap to call for every page.
        """
        try:
            self._future(_FIRST, _Form.SVG)
        except RenderError:
            return

    def close(self) -> None:
        """End the process and the thread; who still waits gets a 503. May be called again."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is None:
            return
        while True:  # what waits is dropped, to make room for the order to end
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                job[2].cancel()
        self._queue.put(None)
        self._vega.kill()
        thread.join(self._patience)

    def svg(self, drawing: Drawing) -> bytes:
        """Return the chart as an SVG, UTF-8, themed by CSS variables, with its own style sheet; see `SVG_POLICY`.

        Raises RenderError.
        """
        return self._bytes(drawing, _Form.SVG)

    def png(self, drawing: Drawing | Picture) -> bytes:
        """Return the drawing as a PNG in the light theme, at its size in px. Raises RenderError."""
        return self._bytes(drawing, _Form.PNG)

    def _bytes(self, drawing: Drawing | Picture, form: _Form) -> bytes:
        found = self._future(drawing, form)
        if isinstance(found, bytes):
            return found
        try:
            return found.result(self._patience)
        except TimeoutError:
            raise _busy("the drawing is not ready yet; ask again in a moment") from None
        except CancelledError:
            raise _busy("the board is stopping; ask again in a moment") from None

    def _future(self, drawing: Drawing | Picture, form: _Form) -> "bytes | Future[bytes]":
        key = (drawing.key, form)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            if self._closed:
                raise _busy("the board is stopping; ask again in a moment")
            future = self._under_way.get(key)
            if future is not None:
                return future
            future = Future()
            try:
                self._queue.put_nowait((key, drawing, future))
            except queue.Full:
                raise _busy("too many drawings are asked for at once; ask again in a moment") from None
            self._under_way[key] = future
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tokenboard-charts", daemon=True)
                self._thread.start()
            return future

    def _run(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=self._idle)
            except queue.Empty:
                self._vega.close()
                job = self._queue.get()
            if job is None:
                self._vega.close()
                return
            self._work(job)

    def _work(self, job: _Job) -> None:
        key, drawing, future = job
        content = None
        try:
            content = self._draw(drawing, key[1])
        except Exception as error:
            if not self._closed:
                # No names in the log: a drawing is known by its key, and its description holds figures alone.
                facts = {"drawing": key[0], "form": key[1].value, "error": repr(error)[:500]}
                _log.error("a drawing failed", extra=facts, exc_info=not isinstance(error, DrawingFailed))
        with self._lock:
            if content is not None:
                self._keep(key, content)
            self._under_way.pop(key, None)
        if content is not None:
            future.set_result(content)
        elif self._closed:
            future.cancel()
        else:
            future.set_exception(_broken())

    def _draw(self, drawing: Drawing | Picture, form: _Form) -> bytes:
        if isinstance(drawing, Picture):
            return self._vega.png(drawing.svg)
        raw = self._vega.svg(drawing.spec)
        return themed(raw, drawing) if form is _Form.SVG else self._vega.png(fixed(raw, drawing))

    def _keep(self, key: _Key, content: bytes) -> None:
        size = len(content) + _BESIDE
        if size > self._capacity:
            return
        self._kept[key] = content
        self._size += size
        while self._size > self._capacity:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone) + _BESIDE


def _busy(message: str) -> RenderError:
    return RenderError(503, message, headers={"Retry-After": str(RETRY_AFTER_S)})


def _broken() -> RenderError:
    return RenderError(500, "this drawing cannot be made; the figures beside it are complete, and the log says why")


_FIRST: Final = Drawing(
    title="",
    description="",
    width=20,
    height=20,
    spec=describe({"width": 20, "height": 20, "data": {"values": [{"v": 1}]}, "mark": "bar"}),
)
