"""The list of models."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.rig import BOARD, PATIENT, Stores, gateway, run
from tests.gateway.stage import chunk, http
from tests.gateway.upstream_server import Peer, upstream
from tokenboard.gateway import EchoUpstream, HttpUpstream, UpstreamSpec, models, upstreams


def listing(*entries: Any) -> bytes:
    return http(json.dumps({"object": "list", "data": entries}).encode())


class Lister:
    """An upstream whose list the test can change; None hangs."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            heard = await peer.hear()
            self.asked.append(heard.line)
            self.headers = heard.headers
            if self.answer is None:
                await peer.hear_the_end()
                return
            await peer.say(self.answer)


def test_the_lists_are_merged_each_model_under_the_upstream_it_would_go_to(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        one, two = (
            Lister(listing({"id": "small", "owned_by": "them", "context_length": 8192}, {"id": "large"})),
            Lister(listing({"id": "one/small"}, {"id": "other", "max_model_len": 4096, "created": None})),
        )
        async with upstream(one) as first, upstream(two) as second:
            specs = [
                UpstreamSpec("one", f"{first.origin}/v1", "sk-1", ("one/s*", "one/named"), strip_prefix=True),
                UpstreamSpec("two", f"{second.origin}", models=("one/*",)),
            ]
            async with gateway(stores, tmp_path, specs, default="two") as rig:
                for path in ("/api/v1/models", "/v1/models?x=1"):
                    reply = await rig.ask(method="GET", path=path)
                    assert "application/json" == reply.header("content-type")
                    assert reply.header("x-generation-id")
                    assert reply.header("x-tokenboard-app")
                    data = json.loads(reply.body)["data"]
                    expected = [
                        ("tokenboard/echo", "tokenboard"),
                        ("one/small", "them"),
                        ("one/named", "one"),
                        # one/small of the second is nobody's: a request for it goes to the first.
                        ("other", "two"),
                    ]
                    assert expected == [(model["id"], model["owned_by"]) for model in data]
                    assert [None, 8192, None, 4096] == [model["context_length"] for model in data]
                    assert all(isinstance(model["created"], int) for model in data)
                # Asked once, with the key, and kept.
                assert ([b"GET /v1/models HTTP/1.1"], [b"GET /models HTTP/1.1"]) == (one.asked, two.asked)
                assert (b"authorization", b"Bearer sk-1") in one.headers
                assert [] == rig.events()

    run(main)


def test_head_is_get_without_the_body_and_other_methods_are_refused(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway(stores, tmp_path) as rig:
            got = await rig.ask(method="GET", path="/v1/models")
            head = await rig.ask(method="HEAD", path="/v1/models")
            assert (200, str(len(got.body)), b"") == (head.status, head.header("content-length"), head.body)
            refused = await rig.ask({}, path="/v1/models")
            assert (405, "GET, HEAD") == (refused.error()["code"], refused.header("allow"))
            assert 401 == (await rig.ask(method="GET", path="/v1/models", key=None)).error()["code"]

    run(main)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        http(b'{"data": 5}'),
        http(b'{"data": {"a": 1}}', status=200),
        http(b"{"),
        http(b'{"data": ["x", {"id": 5}, {}]}'),
        http(b"[" * 100_000),
        http(b"no", status=401),
    ],
)
def test_an_upstream_without_a_proper_list_leaves_those_it_names_in_full(
    stores: Stores, tmp_path: Path, answer: bytes
) -> None:
    async def main() -> None:
        async def once(peer: Peer) -> None:
            await peer.answer(answer)

        async with upstream(once) as there:
            spec = UpstreamSpec("one", str(there.origin), models=("one", "two*"))
            async with gateway(stores, tmp_path, [spec]) as rig:
                reply = await rig.ask(method="GET", path="/v1/models")
                assert ["tokenboard/echo", "one"] == [model["id"] for model in json.loads(reply.body)["data"]]

    run(main)


def test_an_upstream_that_comes_back_is_asked_again_soon(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        lister = Lister(listing({"id": "m1"}))
        async with (
            upstream(lister) as there,
            gateway(stores, tmp_path, [UpstreamSpec("one", str(there.origin))]) as rig,
        ):

            async def ids() -> list[str]:
                reply = await rig.ask(method="GET", path="/v1/models")
                return [model["id"] for model in json.loads(reply.body)["data"]][1:]

            monkeypatch.setattr(models, "FRESH_S", 0.0)
            assert ["m1"] == await ids()
            lister.answer = http(b"", status=503)
            monkeypatch.setattr(models, "RETRY_S", math.inf)
            assert ["m1"] == await ids()  # what it listed last
            assert ["m1"] == await ids()
            assert 2 == len(lister.asked)

    run(main)


def test_an_upstream_that_hangs_holds_the_list_up_for_a_while_only(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstreams, "LIST_WITHIN_S", 0.05)

    async def main() -> None:
        lister = Lister(None)
        async with (
            upstream(lister) as there,
            gateway(stores, tmp_path, [UpstreamSpec("one", str(there.origin))]) as rig,
        ):
            replies = await asyncio.gather(*(rig.ask(method="GET", path="/v1/models") for _ in range(5)))
            assert [200] * 5 == [reply.status for reply in replies]
            assert 1 == len(lister.asked)

    run(main)


def test_an_endless_list_is_given_up() -> None:
    async def main() -> None:
        async def endless(peer: Peer) -> None:
            await peer.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                await peer.say(chunk(b" " * 1_000_000))

        async with upstream(endless) as there:
            server = HttpUpstream(UpstreamSpec("one", str(there.origin), timeouts=PATIENT), BOARD)
            assert "more than 16,777,216 bytes" in str(await server.probe())
            await server.aclose()

    run(main)


def test_a_probe_tells_what_is_wrong() -> None:
    async def main() -> None:
        lister = Lister(listing())
        async with upstream(lister) as there:
            server = HttpUpstream(UpstreamSpec("one", str(there.origin)), BOARD)
            assert await server.probe() is None
            lister.answer = http(b"", status=401)
            assert str(await server.probe()).startswith(
                "GET /models answered 401. Check the upstream's base_url and its key"
            )
            await server.aclose()
        away = HttpUpstream(UpstreamSpec("one", "http://127.0.0.1:1"), BOARD)
        assert "no connection to http://127.0.0.1:1" in str(fault := await away.probe())
        assert "that it is running" in str(fault)
        await away.aclose()
        assert await EchoUpstream().probe() is None

    run(main)


@pytest.mark.parametrize(
    "given",
    [
        {"base_url": "ftp://x/v1"},
        {"base_url": "http:///v1"},
        {"base_url": "x.example/v1"},
        {"base_url": "http://x.example:99999/v1"},
        {"base_url": "http://x.example/v1?api-version=1"},
        {"base_url": "http://u:SECRET@x.example/v1"},
        {"base_url": "http://x.example/a b"},
        {"base_url": "http://x.example/\u00e9"},
        {"headers": {"x-y": "SECRET\nx: y"}},
        {"headers": {"x y": "SECRET"}},
        {"api_key": "SECRET\nSECRET"},
    ],
)
def test_an_upstream_that_could_never_be_asked_is_refused_at_the_start(given: dict[str, Any]) -> None:
    spec = UpstreamSpec(**({"name": "x", "base_url": "http://x.example/v1"} | given))
    with pytest.raises(ValueError, match=r".") as caught:
        HttpUpstream(spec, BOARD)
    assert "SECRET" not in str(caught.value) or "base_url" in given
    assert "SECRET" not in repr(spec) or "base_url" in given


def test_white_space_around_a_key_does_no_harm() -> None:
    async def main() -> None:
        lister = Lister(listing())
        async with upstream(lister) as there:
            server = HttpUpstream(UpstreamSpec("one", str(there.origin), " sk-1\n"), BOARD)
            assert await server.probe() is None
            assert (b"authorization", b"Bearer sk-1") in lister.headers
            await server.aclose()

    run(main)


def test_a_model_of_two_upstreams_is_listed_once_under_the_one_that_is_asked_first(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        async with (
            upstream(Lister(listing({"id": "m"}, {"id": "n"}))) as a,
            upstream(Lister(listing({"id": "m"}))) as b,
        ):
            specs = [UpstreamSpec("b", f"{b.origin}", models=("m",)), UpstreamSpec("a", f"{a.origin}")]
            async with gateway(stores, tmp_path, specs, default="b") as rig:
                data = json.loads((await rig.ask(method="GET", path="/v1/models")).body)["data"]
                assert [("m", "b"), ("n", "a")] == [(entry["id"], entry["owned_by"]) for entry in data[1:]]

    run(main)


def test_the_models_of_an_upstream_behind_one_that_is_away_are_listed(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with upstream(Lister(listing({"id": "m"}))) as there:
            specs = [UpstreamSpec("away", "http://127.0.0.1:1"), UpstreamSpec("there", f"{there.origin}")]
            for failover, expected in ((True, ["tokenboard", "there"]), (False, ["tokenboard"])):
                async with gateway(stores, tmp_path / str(failover), specs, failover=failover) as rig:
                    data = json.loads((await rig.ask(method="GET", path="/v1/models")).body)["data"]
                    assert expected == [entry["owned_by"] for entry in data]

    run(main)
