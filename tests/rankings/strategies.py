"""What hypothesis draws: figures, apps and questions, small enough to meet every rule."""

from datetime import date, timedelta

from hypothesis import strategies as st

from tests.rankings.fakes import App
from tokenboard.attribution import GROUPS
from tokenboard.query import Window
from tokenboard.rankings import Question, RankMetric, Sort

FLOOR = date(2026, 1, 1)
FIFTEEN = [name for names in GROUPS.values() for name in names]


def at(offset: int) -> date:
    return FLOOR + timedelta(days=offset)


numbers = st.sampled_from([0, 1, 2, 3, 5, 2**53, 2**53 + 1]) | st.integers(0, 12)
huge = numbers | st.sampled_from([2**62, 2**63 - 1, 2**63, 2**70, 2**70 + 1])


def datasets(values: st.SearchStrategy[int]) -> st.SearchStrategy[dict[tuple[date, int], tuple[int, int]]]:
    """(requests, tokens) by day, some before the floor, and app id."""
    return st.dictionaries(
        st.tuples(st.integers(-3, 14).map(at), st.integers(0, 10)), st.tuples(st.integers(0, 4), values), max_size=40
    )


app_lists = st.lists(
    st.builds(
        App,
        id=st.integers(1, 9),
        name=st.sampled_from(["Cline", "Roo"]),
        canonical_id=st.none() | st.none() | st.integers(1, 11),
        visibility=st.sampled_from(["public", "public", "public", "hidden", "private"]),
        categories=st.lists(st.sampled_from(FIFTEEN), unique=True, max_size=3).map(tuple),
        url=st.sampled_from(["https://cline.bot", "https://roo.example"]),
    ),
    unique_by=lambda app: app.id,
)
topics: st.SearchStrategy[tuple[str | None, str | None]] = (
    st.just((None, None))
    | st.sampled_from([(group, None) for group in GROUPS])
    | st.sampled_from([(group, name) for group, names in GROUPS.items() for name in names])
    | st.sampled_from([(None, name) for name in FIFTEEN])
)
windows = st.builds(
    lambda start, length: Window(at(start), at(start + length - 1)), st.integers(0, 14), st.integers(1, 6)
)
questions = st.builds(
    lambda sort, topic, window, limit, offset, metric: Question(
        sort, topic[0], topic[1], window, limit, offset, metric
    ),
    st.sampled_from(Sort),
    topics,
    windows,
    st.integers(1, 5) | st.just(100),
    st.integers(0, 4),
    st.sampled_from(RankMetric),
)
