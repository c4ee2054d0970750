"""Whatever upstreams and clients do at any moment: one event a request, nothing whole unrecorded, nothing left over."""

import asyncio
import contextlib
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import Reply, Rig, Stores, relaying, run
from tests.gateway.stage import ANSWER, CHAT, DONE, FIRST, JSON_HEAD, SECOND, STREAM_HEAD, USED, chunk, http
from tests.gateway.upstream_server import Peer
from tokenboard.gateway import Timeouts

WHOLE_STREAM = STREAM_HEAD + chunk(FIRST) + chunk(SECOND) + chunk(USED) + chunk(DONE) + chunk(b"")
WHOLE = [http(ANSWER), http(b"{}", status=500), JSON_HEAD + chunk(ANSWER[:30]) + chunk(ANSWER[30:]) + chunk(b"")]


class Moody:
    """An upstream that answers in pieces, stalls, breaks off, resets or closes, as chance wants."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def __call__(self, peer: Peer) -> None:
        chance = self._chance
        while True:
            stream = json.loads((await peer.hear()).body).get("stream")
            said = WHOLE_STREAM if stream else chance.choice(WHOLE)
            end = len(said) if chance.random() < 0.6 else chance.randrange(len(said))
            cuts = sorted({0, end, *(chance.randrange(end + 1) for _ in range(chance.randrange(4)))})
            for start, stop in itertools.pairwise(cuts):
                await peer.say(said[start:stop])
                await asyncio.sleep(chance.choice([0, 0, 0.002]))
            if end < len(said):
                mood = chance.randrange(3)
                if mood == 0:
                    peer.reset()
                elif mood == 1:
                    await peer.hear_the_end()
                return


async def ask(rig: Rig, chance: random.Random, body: dict[str, Any]) -> Reply | None:
    """Send a request; perhaps leave at some moment, and return None then."""
    caller = await rig.call(rig.request(body))
    patience = chance.choice([None, None, 0.0, 0.003, 0.03, 0.06])
    with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(patience):
            return await caller.reply()
    caller.leave()
    return None


@pytest.mark.parametrize("drain", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_every_answer_is_one_event_whatever_happens(stores: Stores, tmp_path: Path, seed: int, drain: bool) -> None:
    async def main() -> None:
        chance = random.Random(seed)
        hasty = Timeouts(connect_s=5.0, first_byte_s=0.1, idle_s=0.1)
        async with relaying(
            stores, tmp_path, Moody(chance), timeouts=hasty, spec={"max_connections": 6}, drain=drain
        ) as rig:
            replies: list[Reply] = []
            stopped = 0

            async def worker(number: int) -> None:
                nonlocal stopped
                for turn in range(15):
                    reply = await ask(rig, chance, {**CHAT, "stream": bool((number + turn) % 2)})
                    stopped += reply is None
                    replies.extend([reply] if reply else [])

            await asyncio.gather(*(worker(number) for number in range(8)))
        # The rig has seen to it that no task and no connection is left over; its spool is closed, the file is not gone.
        events = {event.id: event for event in rig.events()}
        assert 120 == len(replies) + stopped
        assert len(events) <= 120
        for reply in replies:
            event = events[str(reply.header("x-generation-id"))]
            whole = reply.whole and reply.status == 200 and b'"error"' not in reply.body
            if whole:
                assert (False, "reported", 7, 3) == (
                    event.failed,
                    event.usage_source,
                    event.prompt_tokens,
                    event.completion_tokens,
                )
            else:
                assert event.failed or event.usage_source in {"reported", "partial", "estimated"}
            if reply.status != 200:
                assert (reply.status, True) == (event.status, event.failed)

    run(main)
