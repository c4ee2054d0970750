"""Badges and share images: what other places show of the small."""

import pytest

from tests.analytics.rig import days_before
from tests.web.rig import CLINE, HIDDEN, NIGHT, SmallBoard
from tokenboard.web.numbers import compact, percent
from tokenboard.web.pages.share_images import app_picture, model_picture, ranking_picture
from tokenboard.web.request import PageRequest


def asked(path: str, query: tuple[tuple[str, str], ...] = (), **parts: str) -> PageRequest:
    return PageRequest(path, parts, query)


@pytest.mark.parametrize(
    ("query", "parameters", "words"),
    [
        ("", {}, "#{rank} · {tokens}/week"),
        ("?period=day", {"start_date": str(days_before(1))}, "#{rank} · {tokens}/day"),
        ("?metric=requests", {}, "#{rank} · {requests} requests/week"),
        ("?category=coding", {"category": "coding"}, "#{rank} in coding · {tokens}/week"),
        ("?subcategory=cli-agent", {"subcategory": "cli-agent"}, "#{rank} in cli-agent · {tokens}/week"),
    ],
)
def test_a_badge_says_what_the_data_api_says(
    small: SmallBoard, query: str, parameters: dict[str, str], words: str
) -> None:
    given = {"start_date": str(days_before(7)), "end_date": str(days_before(1))} | parameters
    rows = small.rig.get("/datasets/app-rankings", **given)["data"]
    (row,) = (row for row in rows if row["app_id"] == small.ids[CLINE])
    message = words.format(
        rank=row["rank"], tokens=compact(int(row["total_tokens"])), requests=compact(row["total_requests"])
    )
    badge = small.twin(f"/badge/apps/{small.ids[CLINE]}.json{query}")
    assert (1, "Test board", message) == (badge["schemaVersion"], badge["label"], badge["message"])
    answer = small.web.get(f"/badge/apps/{small.ids[CLINE]}.svg{query}")
    assert (200, "image/svg+xml") == (answer.status_code, answer.headers["content-type"])
    assert message in answer.text


def test_a_badge_outside_its_category_has_no_place(small: SmallBoard) -> None:
    assert "no tokens in creative" in small.twin(f"/badge/apps/{small.ids[CLINE]}.json?category=creative")["message"]


def test_the_badge_of_an_app_that_may_not_be_shown_says_that_nothing_is_listed(small: SmallBoard) -> None:
    answer = small.web.get(f"/badge/apps/{small.ids[HIDDEN]}.svg")
    assert (404, "image/svg+xml", True) == (
        answer.status_code,
        answer.headers["content-type"],
        "not listed" in answer.text,
    )
    assert 404 == small.web.get(f"/badge/apps/{small.ids[HIDDEN]}.json").status_code


def test_the_share_image_of_a_ranking_says_what_the_data_api_says(small: SmallBoard) -> None:
    rows = small.rig.get("/datasets/app-rankings", start_date=str(days_before(7)), limit=5)["data"]
    texts = ranking_picture(small.services(), asked("/share/rankings.png")).texts
    for row in rows:
        assert {str(row["rank"]), row["app_name"], compact(int(row["total_tokens"]))} <= set(texts)


def test_the_share_image_of_an_app_says_what_the_data_api_says(small: SmallBoard) -> None:
    number = small.ids[NIGHT]
    for query, period in (((), "month"), ((("period", "week"),), "week")):
        told = small.rig.get(f"/apps/{number}")["data"]
        picture = app_picture(small.services(), asked(f"/share/apps/{number}.png", query, app_id=str(number)))
        placement = told[period]
        expected = {told["name"], f"#{placement['rank']}", compact(int(placement["total_tokens"]))}
        assert expected <= set(picture.texts)


def test_the_share_image_of_a_model_says_what_its_page_says(small: SmallBoard) -> None:
    model = small.twin("/index.json")["data"]["models"][0]
    picture = model_picture(small.services(), asked("/share/models/plain.png", model=model["model"]))
    expected = {model["model"], f"#{model['rank']}", compact(int(model["total_tokens"])), percent(model["share"])}
    assert expected <= set(picture.texts)


def test_share_images_are_pngs_of_the_size_that_pages_say(small: SmallBoard) -> None:
    for path in ("rankings.png?sort=trending", f"apps/{small.ids[CLINE]}.png", "models/maker/m-1.png"):
        answer = small.web.get(f"/share/{path}")
        assert (200, "image/png") == (answer.status_code, answer.headers["content-type"])
        assert b"\x89PNG" == answer.content[:4]
        size = int.from_bytes(answer.content[16:20]), int.from_bytes(answer.content[20:24])
        assert (1200, 630) == size
    assert 404 == small.web.get("/share/models/maker/unheard-of.png").status_code
