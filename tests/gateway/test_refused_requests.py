"""What the server refuses never meets an upstream, nor does what was hidden behind it."""

from pathlib import Path

from tests.gateway.rig import Stores, gateway, run
from tests.gateway.upstream_server import HELLO, Peer, upstream
from tests.server.test_smuggling import NEXT, REFUSED
from tokenboard.gateway import UpstreamSpec

BODY = b'{"model": "m", "messages": []}'


def test_nothing_that_was_refused_reaches_an_upstream(stores: Stores, tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def answer(peer: Peer) -> None:
        while True:
            heard.append((await peer.answer(HELLO)).line)

    async def main() -> None:
        async with upstream(answer) as there:
            spec = UpstreamSpec(name="up", base_url=f"{there.origin}/v1")
            async with gateway(stores, tmp_path, [spec]) as rig:
                key = f"Authorization: Bearer {rig.secret}\r\n".encode()
                inference = b"POST /v1/chat/completions HTTP/1.1\r\n" + key
                hidden = inference + b"Host: board\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
                refused = []
                for data, status in REFUSED.values():
                    bad = data.replace(NEXT, hidden)
                    for line in (b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n"):
                        bad = bad.replace(line, inference, 1) if bad.startswith(line) else bad
                    caller = await rig.call(bad)
                    refused.append((await caller.head()).status == status)
                    caller.leave()
                assert all(refused)
                assert ([], 0) == (heard, there.accepted)
                whole = await rig.call(hidden)
                assert 200 == (await whole.head()).status

    run(main)
    assert [b"POST /v1/chat/completions HTTP/1.1"] == heard
