"""The renderer draws a thing once, keeps what it has room for, and outlives whatever goes wrong."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.board import wait_for
from tokenboard.web.charts import Drawing, Renderer, RenderError
from tokenboard.web.charts import renderer as module
from tokenboard.web.charts.drawing import Picture, describe
from tokenboard.web.charts.vega import DrawingFailed, Vega

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>'
BROKEN = Drawing(title="secret name", description="", width=1, height=1, spec=b'{"mark": 1}')


def small(number: int) -> Drawing:
    spec = {"width": 10, "height": 10, "data": {"values": [{"v": number}]}, "mark": "bar"}
    return Drawing(title=f"Drawing {number}", description="", width=10, height=10, spec=describe(spec))


class SlowVega:
    """Draws when told to; counts."""

    def __init__(self, patience: float) -> None:
        self.may = threading.Event()
        self.drawn = 0

    def svg(self, spec: bytes) -> str:
        self.drawn += 1
        self.may.wait(10)
        return SVG

    def png(self, svg: str) -> bytes:
        self.drawn += 1
        return svg.encode()

    def kill(self) -> None:
        self.may.set()

    def close(self) -> None:
        self.may.set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Renderer, SlowVega]]]:
    made: list[Renderer] = []

    def make(**options: float) -> tuple[Renderer, SlowVega]:
        vega = SlowVega(1)
        monkeypatch.setattr(module, "Vega", lambda patience: vega)
        made.append(Renderer(**options))  # type: ignore[arg-type]
        return made[-1], vega

    yield make
    for renderer in made:
        renderer.close()


def test_what_many_ask_for_at_once_is_drawn_once(slow: Callable[..., tuple[Renderer, SlowVega]]) -> None:
    renderer, vega = slow()
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(renderer.svg, small(1)) for _ in range(8)]
        vega.may.set()
        assert 1 == len({one.result() for one in asked})
    assert 1 == vega.drawn
    renderer.svg(small(1))
    assert 1 == vega.drawn


def test_the_least_recently_asked_for_leaves_first(slow: Callable[..., tuple[Renderer, SlowVega]]) -> None:
    renderer, vega = slow(capacity=3_000)
    vega.may.set()
    for number in (1, 2, 1, 3):
        assert 700 < len(renderer.svg(small(number))) < 1_000
    assert 3 == vega.drawn
    renderer.svg(small(1))
    assert 3 == vega.drawn
    renderer.svg(small(2))
    assert 4 == vega.drawn


def test_too_many_waiting_drawings_are_refused_with_when_to_come_back(
    slow: Callable[..., tuple[Renderer, SlowVega]],
) -> None:
    renderer, vega = slow(waiting=1)
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(renderer.svg, small(1))
        wait_for(lambda: vega.drawn == 1)
        second = callers.submit(renderer.svg, small(2))
        wait_for(renderer._queue.full)
        with pytest.raises(RenderError) as refused:
            renderer.svg(small(3))
        assert (503, {"Retry-After": "2"}) == (refused.value.status, refused.value.headers)
        vega.may.set()
        assert first.result() != second.result()


def test_a_caller_waits_no_longer_than_its_patience(slow: Callable[..., tuple[Renderer, SlowVega]]) -> None:
    renderer, vega = slow(patience=0.02)
    with pytest.raises(RenderError, match="not ready yet") as late:
        renderer.svg(small(1))
    assert 503 == late.value.status
    vega.may.set()
    wait_for(lambda: not renderer._under_way)
    assert renderer.svg(small(1)).startswith(b"<svg")
    assert 1 == vega.drawn


def test_closing_refuses_who_waits_and_who_comes(slow: Callable[..., tuple[Renderer, SlowVega]]) -> None:
    renderer, vega = slow()
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(renderer.svg, small(1))
        wait_for(lambda: vega.drawn == 1)
        second = callers.submit(renderer.svg, small(2))
        wait_for(lambda: renderer._queue.full() or not renderer._queue.empty())
        renderer.close()
        assert first.result().startswith(b"<svg")
        with pytest.raises(RenderError, match="stopping"):
            second.result()
    with pytest.raises(RenderError, match="stopping"):
        renderer.svg(small(3))
    renderer.start()
    renderer.close()


def test_what_cannot_be_drawn_is_a_500_logged_without_names_and_the_next_is_drawn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    renderer = Renderer(patience=60)
    try:
        with caplog.at_level(logging.ERROR), pytest.raises(RenderError) as failed:
            renderer.svg(BROKEN)
        assert (500, {}) == (failed.value.status, failed.value.headers)
        assert ["a drawing failed"] == [record.message for record in caplog.records]
        assert "secret name" not in str(vars(caplog.records[0]))
        assert renderer.svg(small(1)).startswith(b"<svg")
    finally:
        renderer.close()


def test_a_process_that_went_away_is_started_again_and_one_that_is_late_is_ended() -> None:
    vega = Vega(60)
    assert vega.png(SVG).startswith(b"\x89PNG")
    gone = vega._process
    assert gone is not None
    vega.kill()
    gone.wait()
    assert vega.png(SVG).startswith(b"\x89PNG")
    vega.close()
    late = Vega(0.001)
    with pytest.raises(DrawingFailed, match=r"took more than 0\.001 s"):
        late.png(SVG)
    assert late._process is None


def test_the_process_ends_when_there_is_nothing_to_draw_and_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENBOARD_SECRET", "hush")
    renderer = Renderer(patience=60, idle=0.05)
    try:
        renderer.png(Picture("", "", 10, 10, SVG, ()))
        wait_for(lambda: renderer._vega._process is None)
        vega = Vega(60)
        vega.png(SVG)
        process = vega._process
        assert process is not None
        assert b"hush" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        vega.close()
        assert 0 == process.returncode
    finally:
        renderer.close()
