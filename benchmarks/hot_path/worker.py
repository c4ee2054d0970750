"""One form of the hot path, clocked on demand: each line on standard input is a round, each answer a line of JSON.

``python -m benchmarks.hot_path.worker`` says first whether it runs compiled, and then the CPU seconds of every part.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from math import inf

from benchmarks.gateway.dialogue import CHUNKS, answer, ending, event
from benchmarks.hot_path.stage import ClientAlone, Loop, ServerAlone, Stage, request, streamed_answer, whole_answer
from tokenboard import BUILD_FORM
from tokenboard.attribution import AttributionOptions, attribute
from tokenboard.event import Source, UsageEvent, encode_parcel
from tokenboard.gateway.introduction import introduce
from tokenboard.gateway.request import parse_request
from tokenboard.gateway.upstream import Limits, Origin, Pool, Timeouts
from tokenboard.usage import Meter, read_whole

Work = Callable[[], object]
REQUEST = "a request, answered in 300 bytes"
STREAM = f"a request, answered by a stream of {CHUNKS} chunks"
SERVER = "server: the request read, the answer written"
CLIENT = "client: the upstream asked, its answer read"
HEADERS = "headers taken apart"
APP = "attribution, not remembered"
BODY = "body parsed"
USAGE = "usage of the answer"
METER = f"usage of {CHUNKS} chunks"
EVENT = "event encoded"

_REPEATS: Mapping[str, int] = {REQUEST: 400, STREAM: 12, METER: 24}
_OTHERS = 1_000


def main() -> None:
    """Serve rounds until standard input ends."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        parts = runner.run(_parts())
        print(json.dumps(BUILD_FORM.compiled), flush=True)
        for _ in sys.stdin:
            print(json.dumps(runner.run(_round(parts))), flush=True)


async def _round(parts: Mapping[str, Work]) -> dict[str, float]:
    return {name: _clocked(work, _REPEATS.get(name, _OTHERS)) for name, work in parts.items()}


def _clocked(work: Work, repeats: int) -> float:
    """Return the CPU seconds of one call."""
    work()
    begun = time.thread_time()
    for _ in range(repeats):
        work()
    return (time.thread_time() - begun) / repeats


async def _parts() -> dict[str, Work]:
    stage, server = Stage(), ServerAlone()
    await stage.connect()
    pool = Pool(Origin("http", "192.0.2.4", 80), limits=Limits(8, 8, 60), timeouts=Timeouts(inf, inf, inf))
    client = ClientAlone(pool)
    asked, whole = request(streamed=False), whole_answer()
    streamed, pieces = request(streamed=True), streamed_answer()
    await client.connect(whole)
    assert stage.exchange(asked, [whole]).endswith(answer())
    assert stage.exchange(streamed, pieces).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert server.exchange(asked).endswith(answer())
    assert client.exchange(whole) == answer()
    head, _, body = asked.partition(b"\r\n\r\n")
    fields = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])]
    options, app = AttributionOptions(), introduce(fields).of_the_app
    events = [event(number) for number in range(CHUNKS)] + [ending()]
    used = UsageEvent(
        "gen-1778544000000-0123456789abcdef0123",
        1_778_544_000_000,
        1_778_544_000_000,
        Source.GATEWAY,
        1,
        1,
        "https://nightowl.example",
        None,
        "Night Owl",
        (),
        "bench/model",
        "bench",
        "chat/completions",
        False,
        200,
        False,
        "reported",
        21,
        9,
    )

    body_of_answer = answer()

    def meter() -> object:
        meter = Meter(b"text/event-stream", b"", 200)
        for piece in events:
            meter.feed(piece)
        return meter.finish(complete=True)

    return {
        REQUEST: lambda: stage.exchange(asked, [whole]),
        SERVER: lambda: server.exchange(asked),
        CLIENT: lambda: client.exchange(whole),
        HEADERS: lambda: introduce(fields),
        APP: lambda: attribute(app, options),
        BODY: lambda: parse_request(body),
        USAGE: lambda: read_whole(body_of_answer, b"application/json"),
        EVENT: lambda: encode_parcel((used,)),
        STREAM: lambda: stage.exchange(streamed, pieces),
        METER: meter,
    }


if __name__ == "__main__":
    main()
