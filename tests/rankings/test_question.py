from datetime import date

import pytest

from tokenboard.attribution import GROUPS
from tokenboard.query import ParameterError, Window
from tokenboard.rankings import Extra, Question, Sort, parse_extras, parse_question

FLOOR = date(2025, 1, 1)
TODAY = date(2026, 5, 12)


def parse(*pairs: tuple[str, str]) -> Question:
    return parse_question(pairs, floor=FLOOR, today=TODAY)


def refusal(*pairs: tuple[str, str]) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        parse(*pairs)
    return caught.value


def test_no_parameters_ask_for_the_fifty_most_popular_of_thirty_days() -> None:
    window = Window(date(2026, 4, 12), date(2026, 5, 11))
    assert Question(Sort.POPULAR, None, None, window, 50, 0) == parse()


def test_all_parameters_are_taken() -> None:
    expected = Question(
        Sort.TRENDING, "coding", "cli-agent", Window(date(2026, 5, 1), date(2026, 5, 2)), limit=7, offset=100
    )
    asked = {
        "sort": "trending",
        "category": "coding",
        "subcategory": "cli-agent",
        "start_date": "2026-05-01",
        "end_date": "2026-05-02",
        "limit": "7",
        "offset": "100",
    }
    assert expected == parse_question(asked, floor=FLOOR, today=TODAY)
    assert expected == parse(*asked.items())


def test_questions_are_keys_of_a_cache() -> None:
    assert {parse(): 1} == {parse(("limit", "50")): 1}


@pytest.mark.parametrize(("value", "expected"), [("1", 1), ("100", 100), ("007", 7)])
def test_a_limit_from_1_to_100_is_taken(value: str, expected: int) -> None:
    assert expected == parse(("limit", value)).limit


@pytest.mark.parametrize(("value", "expected"), [("", 0), ("null", 0), ("0", 0), ("100", 100)])
def test_an_offset_from_0_to_100_is_taken_and_empty_or_null_is_0(value: str, expected: int) -> None:
    assert expected == parse(("offset", value)).offset


NOT_NUMBERS = ["-1", "+5", "101", "1.0", "1e1", " 5", "5 ", "5\n", "1_0", "0x5", "٥", "５", "²", "NULL", "9" * 5000]


@pytest.mark.parametrize("value", ["", "0", "null", *NOT_NUMBERS])
def test_any_other_limit_is_refused(value: str) -> None:
    error = refusal(("limit", value))
    assert error.parameter == "limit"
    assert "from 1 to 100" in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize("value", [" ", *NOT_NUMBERS])
def test_any_other_offset_is_refused(value: str) -> None:
    error = refusal(("offset", value))
    assert error.parameter == "offset"
    assert "from 0 to 100" in error.message


@pytest.mark.parametrize("value", ["", "Popular", "popular ", "best", "null"])
def test_an_unknown_sort_is_refused_listing_both(value: str) -> None:
    error = refusal(("sort", value))
    assert error.parameter == "sort"
    assert "popular, trending" in error.message


@pytest.mark.parametrize("value", ["", "Coding", "cli-agent", "null"])
def test_an_unknown_category_is_refused_listing_the_four(value: str) -> None:
    error = refusal(("category", value))
    assert error.parameter == "category"
    assert "coding, creative, productivity, entertainment" in error.message


@pytest.mark.parametrize("value", ["", "CLI-agent", "coding", "null"])
def test_an_unknown_subcategory_is_refused_listing_the_fifteen(value: str) -> None:
    error = refusal(("subcategory", value))
    assert error.parameter == "subcategory"
    assert all(name in error.message for names in GROUPS.values() for name in names)


def test_a_subcategory_of_another_group_is_refused_naming_the_right_group() -> None:
    error = refusal(("subcategory", "cli-agent"), ("category", "entertainment"))
    assert error.parameter == "subcategory"
    assert "category=coding" in error.message
    assert "roleplay, game" in error.message


@pytest.mark.parametrize("group", list(GROUPS))
def test_every_subcategory_goes_with_its_own_group_and_alone(group: str) -> None:
    for name in GROUPS[group]:
        assert (group, name) == (parse(("category", group), ("subcategory", name)).category, name)
        assert (None, name) == (parse(("subcategory", name)).category, name)


@pytest.mark.parametrize("name", ["sort", "category", "subcategory", "start_date", "end_date", "limit", "offset"])
def test_a_parameter_given_twice_is_refused(name: str) -> None:
    valid = {
        "sort": "popular",
        "category": "coding",
        "subcategory": "legal",
        "start_date": "2026-05-01",
        "end_date": "2026-05-02",
        "limit": "1",
        "offset": "",
    }
    error = refusal((name, valid[name]), (name, valid[name]))
    assert name == error.parameter
    assert "more than once" in error.message


def test_parameters_of_other_names_are_ignored_even_twice() -> None:
    assert parse() == parse(("Sort", "x"), ("page", "1"), ("page", "2"), ("", ""))


def test_a_bad_date_is_refused_by_its_name() -> None:
    assert refusal(("start_date", "")).parameter == "start_date"
    assert refusal(("end_date", "2026-02-30")).parameter == "end_date"


def test_without_include_nothing_else_is_asked_for() -> None:
    assert frozenset() == parse_extras({}) == parse_extras({"include": ""})


def test_include_is_a_list_of_names_in_any_order() -> None:
    assert (
        {Extra.SPLIT, Extra.URL}
        == parse_extras({"include": "split,url"})
        == parse_extras({"include": "url, split,url"})
    )
    assert frozenset(Extra) == parse_extras([("include", ",".join(Extra)), ("limit", "x")])


@pytest.mark.parametrize("value", ["all", "URL", "url,", ",", "url;split", "url\n", "x" * 5000])
def test_any_other_include_is_refused_listing_all(value: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_extras({"include": value})
    assert caught.value.parameter == "include"
    assert "url, categories, split, trend, history, previous, totals" in caught.value.message
    assert len(caught.value.message) < 250


def test_include_given_twice_is_refused() -> None:
    with pytest.raises(ParameterError, match="more than once"):
        parse_extras([("include", "url"), ("include", "split")])
