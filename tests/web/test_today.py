"""The period ``today``: asked for, and chosen by itself while completed days have less to show."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.analytics.rig import TODAY, Rig, Use
from tests.web.rig import SmallBoard
from tokenboard.web.charts import Renderer
from tokenboard.web.pages.share_images import app_picture, model_picture, ranking_picture
from tokenboard.web.request import PageRequest

APP, LATER = "https://first.example", "https://later.example"
MODEL = "maker/first"
BOARD_PAGES = ("/index", "/rankings", "/apps", "/models")
PAGES = (*BOARD_PAGES, "/apps/{app}", f"/models/{MODEL}")
USED = Use(APP, TODAY, model=MODEL, prompt=3, completion=1, title="First")


@pytest.fixture
def board(rig: Rig, renderer: Renderer) -> SmallBoard:
    """Return a board at the beginning of a day of its own, with nothing in the month before it."""
    rig.now += timedelta(days=40)
    return SmallBoard(rig, renderer)


def today(board: SmallBoard) -> date:
    return board.rig.now.date()


def use(board: SmallBoard, url: str | None = APP, back: int = 0, *, model: str = MODEL, prompt: int = 3) -> None:
    board.rig.use(replace(USED, url=url, day=today(board) - timedelta(days=back), model=model, prompt=prompt))


def span(board: SmallBoard, page: str, query: str = "") -> tuple[str | None, str, str, bool]:
    meta = board.twin(f"{page.format(app=board.ids.get(APP))}.json{query}")["meta"]
    return meta["period"], meta["start_date"], meta["end_date"], meta["complete"]


def of_today(board: SmallBoard) -> tuple[str, str, str, bool]:
    return "today", str(today(board)), str(today(board)), False


def test_a_page_shows_today_unasked_while_no_completed_day_has_data(board: SmallBoard) -> None:
    use(board)
    for page in PAGES:
        assert of_today(board) == span(board, page) == span(board, page, "?period=today")
        html = board.html("/" if page == "/index" else page.format(app=board.ids[APP])).lower()
        assert "today so far" in html
        assert "not listed" not in html.replace("not listed: 0 tokens", "")


def test_a_page_shows_completed_days_unasked_as_soon_as_they_have_data(board: SmallBoard) -> None:
    use(board)
    use(board, back=1)
    for page in PAGES:
        period, days = ("month", 30) if page.startswith("/apps/") else ("week", 7)
        expected = (period, str(today(board) - timedelta(days=days)), str(today(board) - timedelta(days=1)), True)
        assert expected == span(board, page) == span(board, page, f"?period={period}")
        assert of_today(board) == span(board, page, "?period=today")


def test_an_empty_board_shows_today_and_waits_for_a_request(board: SmallBoard) -> None:
    for page in BOARD_PAGES:
        assert of_today(board) == span(board, page)
    for page in ("/", "/rankings", "/models"):
        assert "data-waits" in board.html(page)
    use(board)
    for page in ("/", "/rankings", "/models"):
        assert "data-waits" not in board.html(page)


def test_the_first_app_is_on_the_board_although_requests_without_an_app_came_before_it(board: SmallBoard) -> None:
    use(board, None, back=2)
    assert "week" == span(board, "/rankings")[0]
    use(board)
    for page in BOARD_PAGES:
        assert of_today(board) == span(board, page)


def test_an_apps_first_day_is_on_its_page_on_a_board_that_is_long_in_use(board: SmallBoard) -> None:
    use(board, LATER, back=1, model="maker/other")
    use(board)
    assert of_today(board) == span(board, "/apps/{app}") == span(board, f"/models/{MODEL}")
    assert "week" == span(board, "/rankings")[0]
    html = board.html(f"/apps/{board.ids[APP]}")
    assert "Today so far" in html
    assert "rank 1 of 1 by tokens, 4 tokens" in html


def test_today_s_figures_are_those_of_the_data_api(board: SmallBoard) -> None:
    use(board)
    use(board, LATER, prompt=40)
    day = str(today(board))
    rows = board.rig.get("/datasets/app-rankings", start_date=day, end_date=day)["data"]
    shown = board.twin("/rankings.json")["data"]["apps"]
    names = ("app_id", "app_name", "rank", "total_tokens", "total_requests")
    assert [{name: row[name] for name in names} for row in rows] == [
        {name: row[name] for name in names} for row in shown
    ]
    placement = board.twin(f"/apps/{board.ids[APP]}.json")["data"]["today"]
    assert (2, 2, "4", 1) == tuple(placement[name] for name in ("rank", "listed", "total_tokens", "total_requests"))


def test_the_badge_of_an_app_with_usage_today_only_shows_today_s_figure(board: SmallBoard) -> None:
    use(board)
    for query, message in (
        ("", "#1 · 4 tokens today"),
        ("?period=today", "#1 · 4 tokens today"),
        ("?period=month", "#1 · 4 tokens today"),
        ("?metric=requests", "#1 · 1 request today"),
        ("?metric=rank", "#1 today"),
    ):
        assert message == board.twin(f"/badge/apps/{board.ids[APP]}.json{query}")["message"]
        assert message in board.web.get(f"/badge/apps/{board.ids[APP]}.svg{query}").text


def test_a_badge_shows_the_week_as_soon_as_a_completed_day_has_usage(board: SmallBoard) -> None:
    use(board)
    use(board, back=1)
    assert "#1 · 4/week" == board.twin(f"/badge/apps/{board.ids[APP]}.json")["message"]


def test_share_images_show_today(board: SmallBoard) -> None:
    use(board)
    app_id = str(board.ids[APP])
    services = board.services()
    ranking = ranking_picture(services, PageRequest("/share/rankings.png", {}, ()))
    app = app_picture(services, PageRequest(f"/share/apps/{app_id}.png", {"app_id": app_id}, ()))
    model = model_picture(services, PageRequest(f"/share/models/{MODEL}.png", {"model": MODEL}, ()))
    for picture in (ranking, app, model):
        assert "4" in picture.texts
        assert any("so far" in text for text in picture.texts)


def test_charts_reach_until_today(board: SmallBoard) -> None:
    use(board)
    day = f"{today(board).day} {today(board):%b}"
    for chart in ("rankings", "models", "authors", f"models/{MODEL}", f"apps/{board.ids[APP]}/models"):
        answer = board.web.get(f"/charts/{chart}.svg")
        assert 200 == answer.status_code
        assert "4" in answer.text, chart
        assert chart == "authors" or f"{day} ·" in answer.text, chart


def test_the_api_knows_completed_days_only_unless_asked(board: SmallBoard) -> None:
    use(board)
    assert [] == board.rig.get("/datasets/app-rankings")["data"]
    assert "today" not in board.rig.get(f"/apps/{board.ids[APP]}")["data"]
    refused = board.rig.client.get("/api/v1/datasets/rankings-daily", params={"period": "today"})
    assert 400 == refused.status_code


def test_words_agree_with_how_many_there_are(board: SmallBoard) -> None:
    use(board)
    assert "Tokens per day of the top app and all others" in board.html("/rankings")
    assert "Tokens per day of the top model and all others" in board.html("/models")
