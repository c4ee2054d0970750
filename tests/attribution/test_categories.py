import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenboard.attribution import CATEGORIES, GROUPS, MAX_APP_CATEGORIES, attribute, merge_categories
from tokenboard.attribution.categories import read_categories

READ: list[tuple[list[bytes], tuple[str, ...], list[tuple[str, str]]]] = [
    ([b"cli-agent"], ("cli-agent",), []),
    ([b" cli-agent ,\tgame"], ("cli-agent", "game"), []),
    ([b" , , "], (), []),
    ([b",,game,,"], ("game",), []),
    ([b"game", b"legal,roleplay"], ("game", "legal"), [("roleplay", "over_request_limit")]),
    ([b"CLI-Agent"], (), [("CLI-Agent", "unrecognized")]),
    ([b"productivity,foo,game"], ("game",), [("productivity", "unrecognized"), ("foo", "unrecognized")]),
    ([b"game,game,legal"], ("game", "legal"), [("game", "duplicate")]),
    # the order of the checks: a third item that is taken already is a duplicate, an unknown one stays unknown
    (
        [b"game,legal,game,foo,roleplay"],
        ("game", "legal"),
        [("game", "duplicate"), ("foo", "unrecognized"), ("roleplay", "over_request_limit")],
    ),
    ([b"x" * 30], (), [("x" * 30, "unrecognized")]),
    ([b"x" * 31], (), [("x" * 31, "too_long")]),
    (["\u00e9".encode() * 30], (), [("\u00e9" * 30, "unrecognized")]),
    ([b"caf\xe9"], (), [("caf\u00e9", "unrecognized")]),
    # what is reported back is printable and short
    ([b"\x1b[2Jgame"], (), [("\ufffd[2Jgame", "unrecognized")]),
    ([b"y" * 5000], (), [("y" * 200, "too_long")]),
]


@pytest.mark.parametrize(("lines", "accepted", "ignored"), READ)
def test_categories_are_read(lines: list[bytes], accepted: tuple[str, ...], ignored: list[tuple[str, str]]) -> None:
    result = read_categories(lines)
    assert (accepted, ignored) == (result[0], [(item.value, item.reason.value) for item in result[1]])


def slow_reading(line: str) -> tuple[list[str], list[tuple[str, str]]]:
    accepted: list[str] = []
    ignored: list[tuple[str, str]] = []
    for raw in line.split(","):
        item = raw.strip()
        if item == "":
            continue
        if len(item) > 30:
            ignored.append((item, "too_long"))
        elif not any(item == category for group in GROUPS.values() for category in group):
            ignored.append((item, "unrecognized"))
        elif accepted.count(item) > 0:
            ignored.append((item, "duplicate"))
        elif len(accepted) == 2:
            ignored.append((item, "over_request_limit"))
        else:
            accepted.append(item)
    return accepted, ignored


ITEMS = st.sampled_from(sorted(CATEGORIES)) | st.sampled_from(["", " ", "Game", "coding", "z" * 31, "z" * 30, "foo"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", " ", "\t "]), ITEMS).map("".join), max_size=40), st.data())
def test_reading_agrees_with_a_slow_reading_however_the_items_are_spread(items: list[str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(items)), max_size=3)))
    bounds = [0, *cuts, len(items)]
    lines = [",".join(items[start:end]).encode() for start, end in itertools.pairwise(bounds)]
    accepted, ignored = read_categories(lines)
    assert slow_reading(",".join(items)) == (list(accepted), [(item.value, item.reason.value) for item in ignored])


def test_a_flood_of_items_is_bounded() -> None:
    accepted, ignored = read_categories([b"foo," * 10_000 + b"game"])
    assert (accepted, len(ignored)) == ((), 64)


def test_there_are_four_groups_and_fifteen_categories() -> None:
    assert list(GROUPS) == ["coding", "creative", "productivity", "entertainment"]
    assert len(CATEGORIES) == sum(map(len, GROUPS.values())) == 15


def test_merging_keeps_order_and_adds_what_is_new() -> None:
    assert merge_categories((), ["game", "legal"]) == ("game", "legal")
    assert merge_categories(["game", "legal"], ("roleplay", "game")) == ("game", "legal", "roleplay")


def test_an_app_has_at_most_ten_categories() -> None:
    ten = sorted(CATEGORIES)[:10]
    assert merge_categories(ten[:9], sorted(CATEGORIES)[9:12]) == tuple(ten)
    assert merge_categories(ten, [sorted(CATEGORIES)[14]]) == tuple(ten)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(sorted(CATEGORIES)), unique=True, max_size=10),
    st.lists(st.sampled_from(sorted(CATEGORIES))),
)
def test_merging_is_a_bounded_union(existing: list[str], new: list[str]) -> None:
    merged = merge_categories(existing, new)
    assert list(merged[: len(existing)]) == existing
    assert len(set(merged)) == len(merged) == min(MAX_APP_CATEGORIES, len({*existing, *new}))
    assert merged == merge_categories(merged, new)


def test_categories_of_an_untracked_request_are_still_told() -> None:
    assert attribute([(b"x-openrouter-categories", b"game")]).categories == ("game",)
