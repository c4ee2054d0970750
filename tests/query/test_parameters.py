"""One parser of query parameters: strict for the Data API, lenient for forms of pages, and alike in what it says."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from tokenboard.attribution import GROUPS
from tokenboard.query import ParameterError, Parameters


class Fruit(StrEnum):
    APPLE = "apple"
    PEAR = "pear"
    PLUM = "plum"


def parse(*pairs: tuple[str, str], lenient: bool = False) -> Parameters:
    return Parameters(pairs, {name for name, _ in pairs}, lenient=lenient)


def refusal(ask: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ParameterError) as caught:
        ask()
    return caught.value.parameter, caught.value.message


def test_what_is_not_given_is_the_default() -> None:
    given = parse()

    assert (Fruit.PEAR, None, 7, "", None) == (
        given.choice("fruit", Fruit.PEAR),
        given.filter("fruit", ["apple"]),
        given.number("n", 1, 9, 7),
        given.text("q", 5),
        given.get("q"),
    )


def test_an_unknown_choice_is_refused_with_all_that_are_allowed() -> None:
    given = parse(("fruit", "Apple"))
    every = "fruit 'Apple' is not known; allowed, in lower case: apple, pear, plum."
    two = "fruit 'Apple' is not known; allowed, in lower case: pear, plum."
    sizes = "fruit 'Apple' is not known; allowed: 1K, 10K."

    assert ("fruit", every) == refusal(lambda: given.choice("fruit", Fruit.PEAR))
    assert ("fruit", two) == refusal(lambda: given.choice("fruit", Fruit.PEAR, [Fruit.PEAR, Fruit.PLUM]))
    assert ("fruit", sizes) == refusal(lambda: given.filter("fruit", ["1K", "10K"]))


@pytest.mark.parametrize("value", ["", "0", "10", "-1", "1.0", " 5", "٥", "9" * 5_000])
def test_what_is_no_whole_number_within_its_bounds_is_refused_and_quoted_shortly(value: str) -> None:
    name, message = refusal(lambda: parse(("n", value)).number("n", 1, 9, 1))

    assert ("n", True) == (name, message.endswith("is not allowed; use a whole number from 1 to 9."))
    assert len(message) < 120


def test_a_text_is_bounded_and_may_be_needed() -> None:
    assert ("q", "q has 6 characters; at most 5 are allowed.") == refusal(lambda: parse(("q", "abcdef")).text("q", 5))
    assert ("q", "q is missing; give it.") == refusal(lambda: parse().text("q", 5, None))
    assert ("q", "q is missing; give it.") == refusal(lambda: parse(("q", " ")).text("q", 5, None))


def test_a_parameter_given_twice_is_refused_and_one_of_another_name_ignored() -> None:
    pairs = [("n", "1"), ("m", "1"), ("m", "2")]

    assert "1" == Parameters(pairs, ("n",)).get("n")
    assert ("m", "m is given more than once; give it once.") == refusal(lambda: Parameters(pairs, ("n", "m")))


def test_what_this_board_cannot_honour_is_said_never_ignored() -> None:
    assert ("zdr", "zdr is not supported here: nobody knows. Leave it out.") == refusal(
        lambda: Parameters([("zdr", "1")], (), refused={"zdr": "nobody knows."})
    )
    assert ("m", "m image is not supported here: nobody knows. Allowed: text.") == refusal(
        lambda: parse(("m", "image")).filter("m", ["text"], refused={"image": "nobody knows."})
    )


def test_forms_of_pages_send_what_nobody_filled_in() -> None:
    given = parse(("fruit", " "), ("n", ""), ("q", " text "), lenient=True)

    assert (Fruit.PLUM, 7, "text") == (
        given.choice("fruit", Fruit.PLUM),
        given.number("n", 1, 9, 7),
        given.text("q", 10),
    )


@pytest.mark.parametrize("group", GROUPS)
def test_a_subcategory_goes_with_its_own_category_alone(group: str) -> None:
    for name in GROUPS[group]:
        for other in GROUPS:
            given = parse(("category", other), ("subcategory", name))
            if other == group:
                assert (group, name) == given.categories()
            else:
                assert f"category={group}" in refusal(given.categories)[1]
