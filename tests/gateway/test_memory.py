"""What is kept in mind of requests: bounded, and no secret among it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.rig import Stores, relaying, run
from tests.gateway.stage import ANSWER, CHAT, answering, http
from tests.gateway.upstream_server import Heard, Peer
from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.gateway import ForwardAttribution
from tokenboard.gateway.headers import request_headers, withheld_from_upstream
from tokenboard.gateway.introduction import introduce
from tokenboard.gateway.memory import MAX_ENTRIES, MAX_ENTRY_BYTES, Memory
from tokenboard.gateway.upstream.request import Template, render_head, with_length
from tokenboard.keys import Key

Fields = tuple[tuple[bytes, bytes], ...]


def named(number: int) -> Fields:
    return ((b"x-title", b"%d" % number),)


def test_a_memory_forgets_what_it_kept_longest_and_keeps_nothing_large() -> None:
    memory: Memory[Fields, int] = Memory()
    for number in range(MAX_ENTRIES + 2):
        memory.keep(named(number), number, 10)
    assert [None, None, 2, MAX_ENTRIES + 1] == [memory.recall(named(n)) for n in (0, 1, 2, MAX_ENTRIES + 1)]
    memory.keep(named(-1), 1, MAX_ENTRY_BYTES + 1)
    assert memory.recall(named(-1)) is None


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, MAX_ENTRY_BYTES + 1)), max_size=60))
def test_a_memory_never_weighs_more_than_it_may(steps: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tokenboard.gateway.memory.MAX_BYTES", 4 * MAX_ENTRY_BYTES)
        memory: Memory[Fields, int] = Memory()
        kept: dict[int, int] = {}  # by age
        for number, weight in steps:
            memory.keep(named(number), number, weight)
            if weight <= MAX_ENTRY_BYTES and number not in kept:
                while kept and sum(kept.values()) + weight > 4 * MAX_ENTRY_BYTES:
                    del kept[next(iter(kept))]
                kept[number] = weight
            assert sum(kept.values()) == memory.bytes
            assert {n: n if n in kept else None for n in range(31)} == {n: memory.recall(named(n)) for n in range(31)}


def test_no_credential_and_no_framing_is_among_the_fields_that_are_kept() -> None:
    secrets = [b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key", b"proxy-authorization", b"cookie"]
    headers = [(name, b"SECRET") for name in secrets] + [
        (b"host", b"h"),
        (b"content-length", b"5"),
        (b"accept", b"*/*"),
    ]
    asked = introduce([*headers, (b"authorization", b"second"), (b"content-encoding", b"Identity")])
    assert (b"SECRET", b"SECRET", False) == (asked.authorization, asked.api_key, asked.compressed)
    assert ((b"accept", b"*/*"), (b"content-encoding", b"Identity")) == asked.fields
    assert () == asked.of_the_app
    assert introduce([(b"content-encoding", b""), (b"content-encoding", b"gzip")]).compressed


def test_what_is_kept_of_one_clients_headers_is_not_another_ones(stores: Stores, tmp_path: Path) -> None:
    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(ANSWER))) as rig:
            for _ in range(2):
                for app in ("https://a.example", "https://b.example"):
                    headers = {"HTTP-Referer": app, "Cookie": "SECRET"}
                    assert app == (await rig.ask(CHAT, headers=headers)).header("x-tokenboard-app")
                assert 401 == (await rig.ask(CHAT, headers={"HTTP-Referer": "https://a.example"}, key=None)).status
                assert 401 == (await rig.ask(CHAT, headers={"HTTP-Referer": "https://a.example"}, key="no")).status
            (upstream,) = rig.upstreams
            kept = repr(list(upstream._forms._kept)) + repr(list(rig.gateway._attributed._kept))
            assert "https://a.example" in kept
            assert "SECRET" not in kept
            assert rig.secret not in kept

    run(main)


class NoKeys:
    """What a board publishes once it has revoked all keys."""

    def keys_revision(self) -> int:
        return 1 << 40

    def keys(self) -> list[Key]:
        return []


def test_what_is_kept_of_a_connections_head_holds_no_longer_than_the_rules_and_the_keys_do(
    stores: Stores, tmp_path: Path
) -> None:
    def by_key(url: str) -> AttributionOptions:
        return AttributionOptions(rules=(AttributionRule(url=url, key_label="inference key"),))

    async def main() -> None:
        async with relaying(stores, tmp_path, answering(http(ANSWER)), options=by_key("https://a.example")) as rig:
            caller = await rig.call(b"")

            async def told() -> tuple[int, str | None]:
                await caller.say(rig.request(CHAT))
                reply = await caller.reply()
                return reply.status, reply.header("x-tokenboard-app")

            assert [(200, "https://a.example")] * 2 == [await told(), await told()]
            rig.gateway.attribute_by(by_key("https://b.example"))
            assert [(200, "https://b.example")] * 2 == [await told(), await told()]
            auth = rig.gateway._auth
            auth._source = NoKeys()
            assert (200, "https://b.example") == await told()
            auth.refresh()
            assert [(401, "none; reason=missing_referer")] * 2 == [await told(), await told()]
            assert ["https://a.example"] * 2 + ["https://b.example"] * 3 == [event.app_key for event in rig.events()]

    run(main)


def test_headers_that_a_proxy_gives_anew_to_each_request_are_passed_on_and_cost_no_memory(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        heard: list[Heard] = []

        async def listen(peer: Peer) -> None:
            while True:
                heard.append(await peer.answer(http(ANSWER)))

        async with relaying(stores, tmp_path, listen) as rig:
            (upstream,) = rig.upstreams
            for turn in range(20):
                own = {
                    "X-Request-ID": f"r{turn}",
                    "traceparent": f"00-{turn}",
                    "cf-ray": f"c{turn}",
                    "X-Acme-Trip": str(turn),
                }
                headers = {"HTTP-Referer": "https://a.example", "X-Forwarded-For": f"192.0.2.{turn}", **own}
                assert "https://a.example" == (await rig.ask(CHAT, headers=headers)).header("x-tokenboard-app")
                got = dict(heard[-1].headers)
                assert [value.encode() for value in own.values()] == [got[name.lower().encode()] for name in own]
                assert b"x-forwarded-for" not in got
            # What follows from headers was worked out once, for all twenty.
            assert (1, 1) == (len(upstream._forms._kept), len(rig.gateway._attributed._kept))

    run(main)


def test_a_connection_field_that_names_others_takes_them_off_each_time_by_its_value(
    stores: Stores, tmp_path: Path
) -> None:
    async def main() -> None:
        heard: list[Heard] = []

        async def listen(peer: Peer) -> None:
            while True:
                heard.append(await peer.answer(http(ANSWER)))

        async with relaying(stores, tmp_path, listen) as rig:
            for named in ("keep-alive", "x-a", "X-B, keep-alive", "Keep-Alive"):
                await rig.ask(CHAT, headers={"x-a": "1", "x-b": "2", "Connection": named})
            passed = [[name for name, _ in one.headers if name in {b"x-a", b"x-b", b"connection"}] for one in heard]
            assert [[b"x-a", b"x-b"], [b"x-b"], [b"x-a"], [b"x-a", b"x-b"]] == passed

    run(main)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"a", b"x%b", b"x-%d", b"cookie", b"te", b"x-up", b"user-agent"]), st.binary(max_size=5)
        ),
        max_size=8,
    ),
    st.sampled_from([b"/v1/chat", b"/v1/x?a=%20b"]),
)
def test_a_head_made_by_names_is_the_head_made_by_headers(headers: list[tuple[bytes, bytes]], target: bytes) -> None:
    own = [(b"x-up", b"100%b"), (b"authorization", b"Bearer k")]
    withheld = withheld_from_upstream(ForwardAttribution.PASS, own)
    picked = [(name, value) for name, value in headers if name not in withheld]
    template = Template(b"up%:80", [name for name, _ in picked], own)
    passed = request_headers(headers, withheld, own)
    try:
        expected = render_head(b"up%:80", b"POST", target, passed, b"12345")
    except ValueError:
        with pytest.raises(ValueError, match="control character"):
            template.begin(target, tuple(value for _, value in picked))
        return
    assert expected == with_length(template.begin(target, tuple(value for _, value in picked)), 5)
