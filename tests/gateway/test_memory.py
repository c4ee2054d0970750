"""What is kept in mind of requests: bounded, and no secret among it."""

from pathlib import Path

from tests.gateway.rig import Stores, relaying, run
from tests.gateway.stage import ANSWER, CHAT, answering, http
from tokenboard.gateway.introduction import introduce
from tokenboard.gateway.memory import MAX_ENTRIES, MAX_ENTRY_BYTES, Memory

Fields = tuple[tuple[bytes, bytes], ...]


def named(number: int) -> Fields:
    return ((b"x-title", b"%d" % number),)


def test_a_memory_forgets_what_it_kept_longest_and_keeps_nothing_large() -> None:
    memory: Memory[Fields, int] = Memory()
    for number in range(MAX_ENTRIES + 2):
        memory.keep(named(number), number, named(number))
    assert [None, None, 2, MAX_ENTRIES + 1] == [memory.recall(named(n)) for n in (0, 1, 2, MAX_ENTRIES + 1)]
    for large in (((b"x-title", bytes(MAX_ENTRY_BYTES)),), ((b"a", b"b"),) * 100):
        memory.keep(large, 1, large)
        assert memory.recall(large) is None


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
            kept = repr(list(upstream._templates._kept)) + repr(list(rig.gateway._attributed._kept))
            assert "https://a.example" in kept
            assert "SECRET" not in kept
            assert rig.secret not in kept

    run(main)
