import asyncio
import threading
import time

import pytest

from tokenboard.control import Remotes, Report, ReportError, Snapshot, decode_report, decode_snapshot, tag_of
from tokenboard.keys import Key, Scope, digest_of


class Clock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


def snapshot(*secrets: str, run: str = "one", revision: int = 1) -> Snapshot:
    keys = tuple(
        Key(number, 1, "default", "k", frozenset({Scope.DATA, Scope.INFERENCE}), digest_of(secret), "tb-…", 0, None)
        for number, secret in enumerate(secrets)
    )
    return Snapshot(run, revision, keys, browser_referer=False, rules=())


def report(instance: str = "first", tag: str = "", wait_s: float = 5.0, journal: str = "journal") -> Report:
    return Report(journal, instance, "gateway-1", "1", tag, wait_s)


def test_a_gateway_waits_for_news_and_has_them_as_soon_as_they_are_published() -> None:
    remotes = Remotes(lambda: 0)
    first, second = snapshot("a"), snapshot("a", "b", revision=2)

    async def follow() -> list[bytes | None]:
        remotes.announce(first)
        assert remotes.hear(report(), "key", "10.0.0.1") is None
        got = [await remotes.news(report())]
        asked = report(tag=tag_of(first))
        remotes.hear(asked, "key", "10.0.0.1")
        waiting = asyncio.create_task(remotes.news(asked))
        await asyncio.sleep(0)
        await asyncio.to_thread(remotes.announce, second)
        got.append(await waiting)
        got.append(await remotes.news(report(tag=tag_of(second), wait_s=0.01)))
        return got

    got = asyncio.run(follow())
    assert [first, second, None] == [None if each is None else decode_snapshot(each) for each in got]


def test_a_change_waits_for_gateways_that_are_connected_and_no_longer_than_a_second() -> None:
    remotes = Remotes(lambda: 0)
    one, two, three = snapshot("a"), snapshot("b"), snapshot("c")
    told = threading.Event()

    async def follow() -> None:
        remotes.announce(one)
        asked = report(tag=tag_of(one))
        remotes.hear(asked, "key", "10.0.0.1")
        waiting = asyncio.create_task(remotes.news(asked))
        await asyncio.sleep(0)
        await asyncio.to_thread(remotes.announce, two)
        confirming = asyncio.create_task(asyncio.to_thread(remotes.confirm))
        confirming.add_done_callback(lambda _: told.set())
        await waiting
        assert not told.is_set()
        asked = report(tag=tag_of(two))
        remotes.hear(asked, "key", "10.0.0.1")  # it goes by the new one, and waits for the next
        await confirming
        waiting = asyncio.create_task(remotes.news(asked))
        await asyncio.sleep(0)
        await asyncio.to_thread(remotes.announce, three)
        await waiting
        began = time.monotonic()
        await asyncio.to_thread(remotes.confirm)  # it does not come back
        assert 0.9 < time.monotonic() - began < 30

    asyncio.run(follow())
    remotes.announce(one)  # its loop has ended: nobody waits


def test_a_journal_belongs_to_one_run_of_its_gateway_until_a_moment_after_that_was_heard_last() -> None:
    clock = Clock()
    remotes = Remotes(lambda: 7, clock)

    async def meet() -> None:
        remotes.announce(snapshot("a"))
        asked = report(tag=tag_of(snapshot("a")))
        assert remotes.hear(asked, "paris", "10.0.0.1") is None
        waiting = asyncio.create_task(remotes.news(asked))
        await asyncio.sleep(0)
        clock.s += 100
        other = remotes.hear(report("second"), "paris", "10.0.0.2")
        assert other == "The other one is 'gateway-1' at 10.0.0.1, with the key 'paris'."
        assert (other, None) == (remotes.held("journal", "second"), remotes.held("journal", "first"))
        waiting.cancel()
        await asyncio.wait({waiting})
        assert remotes.hear(report("second"), "paris", "10.0.0.2") is not None
        clock.s += 3
        assert remotes.hear(report("second"), "paris", "10.0.0.2") is None
        assert remotes.held("journal", "first") is not None
        (known,) = remotes.gateways()
        assert 0 == known.waiting
        remotes.shipped("journal", 12)
        assert 12 == remotes.gateways()[0].waiting
        assert ("10.0.0.2", 7, True, False) == (known.address, known.heard_ms, known.connected, known.up_to_date)

    asyncio.run(meet())


def test_boards_that_say_the_same_have_one_tag_and_others_have_not() -> None:
    assert tag_of(snapshot("a", run="one", revision=1)) == tag_of(snapshot("a", run="two", revision=9))
    assert tag_of(snapshot("a")) != tag_of(snapshot("b"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"journal": "j"}',
        b'{"journal": "", "instance": "i", "name": "n", "version": "1"}',
        b'{"journal": "%s", "instance": "i", "name": "n", "version": "1"}' % (b"x" * 101),
        b'{"journal": "j", "instance": "i", "name": "n", "version": "1", "counters": {"%s": 1}}' % (b"x" * 101),
    ],
)
def test_what_cannot_be_a_gateways_word_on_itself_is_refused(body: bytes) -> None:
    with pytest.raises(ReportError):
        decode_report(body)
