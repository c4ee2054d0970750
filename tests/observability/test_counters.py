from concurrent.futures import ThreadPoolExecutor

from tokenboard.observability import Counters


def test_counts_add_up_and_are_read_by_name() -> None:
    counters = Counters()
    counters.add("b")
    counters.add("a", 3)
    counters.add("b", 2)
    assert [("a", 3), ("b", 3)] == list(counters.read().items())


def test_what_was_read_stays_as_it_was() -> None:
    counters = Counters()
    counters.add("a")
    read = counters.read()
    counters.add("a")
    assert {"a": 1} == read


def test_past_the_limit_new_names_are_counted_together_and_known_ones_go_on() -> None:
    counters = Counters(limit=2)
    for name in ("a", "b", "c", "d", "a"):
        counters.add(name)
    assert {"a": 2, "b": 1, "other": 2} == counters.read()


def test_many_threads_lose_no_count() -> None:
    counters = Counters()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(counters.add, ["a", "b"] * 5_000))
    assert {"a": 5_000, "b": 5_000} == counters.read()
