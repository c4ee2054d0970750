"""The data's routes: parameters, formats, caching, limits, CORS."""

import io
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest

from tests.analytics.rig import Rig, Use, days_before
from tokenboard.rankings import Answer, Question

RANKINGS = "/api/v1/datasets/app-rankings"
MODEL_APPS = "/api/v1/models/openai/gpt-4o/apps"
ROUTES = [
    RANKINGS,
    "/api/v1/datasets/rankings-daily",
    "/api/v1/apps",
    "/api/v1/apps/1",
    "/api/v1/apps/lookup?url=cline.bot",
    "/api/v1/apps/1/usage",
    MODEL_APPS,
]


@pytest.mark.parametrize(
    ("path", "parameter", "values"),
    [
        (RANKINGS, "sort", ["", "Popular", "new"]),
        (RANKINGS, "category", ["", "games"]),
        (RANKINGS, "subcategory", ["", "coding"]),
        (RANKINGS, "start_date", ["", "2026-02-30", "yesterday", "2999-01-01", "2026-4-1"]),
        (RANKINGS, "end_date", ["2025-12-31", "0", "null"]),
        (RANKINGS, "limit", ["0", "101", "-1", "x", "1.5", ""]),
        (RANKINGS, "offset", ["101", "-1", "x"]),
        (RANKINGS, "include", ["everything", "url;split"]),
        (RANKINGS, "format", ["", "xml", "JSON"]),
        ("/api/v1/datasets/rankings-daily", "period", ["", "year", "Day"]),
        ("/api/v1/datasets/rankings-daily", "start_date", ["2026-13-01"]),
        ("/api/v1/apps", "sort", ["", "rank"]),
        ("/api/v1/apps", "search", ["x" * 201]),
        ("/api/v1/apps", "limit", ["0", "101", "ten"]),
        ("/api/v1/apps", "offset", ["-1", "1000001"]),
        ("/api/v1/apps", "category", ["nothing"]),
        ("/api/v1/apps/lookup", "url", ["", "   ", "x" * 2049]),
        ("/api/v1/apps/lookup", "format", ["csv"]),
        ("/api/v1/apps/1", "format", ["parquet"]),
        ("/api/v1/apps/1/usage", "by", ["", "week"]),
        ("/api/v1/apps/1/usage", "models", ["-1", "51"]),
        (MODEL_APPS, "limit", ["0", "101"]),
        (MODEL_APPS, "end_date", ["2020-01-01"]),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(quiet: Rig, path: str, parameter: str, values: list[str]) -> None:
    for value in values:
        asked = ({"url": "cline.bot"} if path.endswith("lookup") else {}) | {parameter: value}
        answer = quiet.client.get(path, params=asked)
        assert 400 == answer.status_code, (value, answer.text)
        error = answer.json()["error"]
        assert parameter == error["metadata"]["parameter"]
        assert parameter in error["message"]


def test_a_parameter_given_twice_is_refused(quiet: Rig) -> None:
    for path, name in ((RANKINGS, "format"), ("/api/v1/apps", "search"), (RANKINGS, "include")):
        answer = quiet.client.get(f"{path}?{name}=csv&{name}=csv")
        assert (400, name) == (answer.status_code, answer.json()["error"]["metadata"]["parameter"])


def test_an_app_is_named_by_a_number(quiet: Rig) -> None:
    for path, status in (("x", 400), ("0", 400), ("99999999999", 400), ("77", 404), ("1/usage", 404), ("²", 400)):
        assert status == quiet.client.get(f"/api/v1/apps/{path}").status_code, path


def test_a_subcategory_must_belong_to_its_category(quiet: Rig) -> None:
    answer = quiet.client.get("/api/v1/apps", params={"category": "creative", "subcategory": "game"})
    assert (400, "subcategory") == (answer.status_code, answer.json()["error"]["metadata"]["parameter"])


def test_an_unknown_url_is_told_with_what_was_tried(quiet: Rig) -> None:
    answer = quiet.client.get("/api/v1/apps/lookup", params={"url": "HTTP://Nobody.example/Some/"})
    tried = answer.json()["error"]["metadata"]["tried"]
    assert (404, "unknown_url") == (answer.status_code, answer.json()["error"]["metadata"]["reason"])
    assert tried.startswith("https://nobody.example")
    answer = quiet.client.get("/api/v1/apps/lookup", params={"url": "{your-app-url}"})
    assert (404, None) == (answer.status_code, answer.json()["error"]["metadata"]["tried"])


def test_a_loopback_url_that_several_apps_share_is_found_only_while_one_of_them_is_shown(rig: Rig) -> None:
    rig.use(Use("http://localhost:3000", title="A"), Use("http://localhost:3000", title="B"))
    ask = {"url": "localhost:3000"}
    answer = rig.client.get("/api/v1/apps/lookup", params=ask)
    assert (404, "ambiguous_url") == (answer.status_code, answer.json()["error"]["metadata"]["reason"])
    rig.catalog.hide(2, "test")
    assert "A" == rig.get("/apps/lookup", **ask)["data"]["name"]


def test_every_format_holds_the_same_figures(rig: Rig, tmp_path: Path) -> None:
    rig.use(
        Use(title="=1+1", prompt=10**12, cached=3, reasoning=2, cost=Decimal("0.1"), categories=("game", "legal")),
        Use("https://b.example", title='Комета, "x"\n', prompt=7, day=days_before(20)),
        Use(None, prompt=3),
        *(Use(model=f"m/{n}", prompt=n) for n in range(3)),
    )
    for number, (path, query) in enumerate(
        (
            ("/datasets/app-rankings", {"include": "url,split,trend,previous,totals"}),
            ("/datasets/rankings-daily", {"period": "week"}),
            ("/apps", {"sort": "name"}),
            ("/apps/1/usage", {}),
            ("/models/openai/gpt-4o/apps", {}),
        )
    ):
        plain = [flat(row) for row in rig.get(path, **query)["data"]]
        rows = {}
        for form in ("csv", "ndjson", "parquet"):
            answer = rig.client.get(f"/api/v1{path}", params={"format": form} | query)
            assert answer.headers["x-tokenboard-end-date"] == str(days_before(1))
            assert f".{form}" in answer.headers["content-disposition"]
            file = tmp_path / f"{number}.{form}"
            file.write_bytes(answer.content)
            rows[form] = read_back(file, form)
        assert rows["csv"] == rows["ndjson"] == rows["parquet"]
        assert len(plain) == len(rows["csv"])
        for expected, found in zip(plain, rows["csv"], strict=True):
            for name in expected.keys() & found.keys():
                assert figure(expected[name]) == found[name], name


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A JSON row as the files have it: the parts of its extras as columns of their own."""
    split: dict[str, Any] = row.pop("split", {})
    trend = row.pop("trend", {})
    return row | split | {f"trend_{name}": trend[name] for name in ("window", "excess_times_three") if trend}


def figure(value: Any) -> Any:
    """A value as text that does not depend on how a format writes it."""
    if isinstance(value, list):
        return ",".join(value) or None
    if value is None or value in {"", "[]"}:
        return None
    text = str(value).removeprefix("'").removesuffix("Z").removesuffix("+00").replace("T", " ")
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1].replace(", ", ",")
    try:
        return f"{Decimal(text).quantize(Decimal('1e-9')).normalize():f}"
    except ArithmeticError:
        return text


def read_back(file: Path, form: str) -> list[dict[str, Any]]:
    source = {"csv": f"read_csv('{file}', all_varchar=true)", "ndjson": f"read_ndjson('{file}')"}.get(form, f"'{file}'")
    with duckdb.connect() as database:
        found = database.execute("SET TimeZone = 'UTC'").execute(f"SELECT COLUMNS(*)::VARCHAR FROM {source}")
        names = [column[0] for column in found.description or ()]
        return [{n: figure(v) for n, v in zip(names, row, strict=True)} for row in found.fetchall()]


def test_csv_holds_no_formula_and_every_file_opens_where_it_is_empty(rig: Rig) -> None:
    for form in ("csv", "ndjson", "parquet"):
        assert 200 == rig.client.get(RANKINGS, params={"format": form, "include": "history,split"}).status_code
    rig.use(Use(title="=HYPERLINK(1)"), Use("https://b.example", title="@x"))
    text = rig.client.get(RANKINGS, params={"format": "csv"}).text
    assert ",'=HYPERLINK(1)," in text
    assert ",'@x," in text


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("application/json;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("text/csv;q=oops, application/json", "application/json"),
        ("image/png", "application/json"),
    ],
)
def test_accept_chooses_the_format_unless_the_parameter_does(quiet: Rig, accept: str, media_type: str) -> None:
    answer = quiet.client.get(RANKINGS, headers={"Accept": accept})
    assert media_type == answer.headers["content-type"]
    answer = quiet.client.get(RANKINGS, headers={"Accept": accept}, params={"format": "json"})
    assert "application/json" == answer.headers["content-type"]


def test_an_answer_that_has_not_changed_is_304(rig: Rig) -> None:
    rig.use(Use())
    for path in ROUTES:
        first = rig.client.get(path)
        assert "private, max-age=60, stale-while-revalidate=300" == first.headers["cache-control"]
        for named in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
            again = rig.client.get(path, headers={"If-None-Match": named})
            assert (304, b"") == (again.status_code, again.content)
            assert first.headers["etag"] == again.headers["etag"]
        assert 200 == rig.client.get(path, headers={"If-None-Match": '"other"'}).status_code
    etag = rig.client.get(RANKINGS).headers["etag"]
    rig.use(Use())
    assert 200 == rig.client.get(RANKINGS, headers={"If-None-Match": etag}).status_code


def test_a_change_shows_at_once_and_midnight_moves_the_window(rig: Rig) -> None:
    rig.use(Use(title="First"), Use(day=days_before(0), prompt=100))
    ask = {"start_date": str(days_before(1))}
    assert "15" == rig.get("/datasets/app-rankings", **ask)["data"][0]["total_tokens"]
    rig.catalog.rename(1, "Second", "test")
    assert "Second" == rig.get("/datasets/app-rankings", **ask)["data"][0]["app_name"]
    rig.now += timedelta(days=1)
    assert "120" == rig.get("/datasets/app-rankings", **ask)["data"][0]["total_tokens"]
    rig.catalog.hide(1, "test")
    assert [] == rig.get("/datasets/app-rankings", **ask)["data"]
    assert 404 == rig.client.get("/api/v1/apps/1").status_code


def test_failed_requests_show_although_they_change_no_ranking(rig: Rig) -> None:
    rig.use(Use())
    assert 0 == rig.get("/apps/1/usage")["meta"]["total"]["failed_requests"]
    rig.use(Use(failed=True, prompt=0, completion=0))
    assert 1 == rig.get("/apps/1/usage")["meta"]["total"]["failed_requests"]


def test_an_answer_is_made_once_however_many_ask(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.use(Use())
    made, answer = count(), rig.rankings.answer

    def counted(question: Question, *more: Any) -> Answer:
        next(made)
        return answer(question, *more)

    monkeypatch.setattr(rig.rankings, "answer", counted)
    asking = [Thread(target=lambda: rig.client.get(RANKINGS)) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert 1 == next(made)


def test_the_limits_are_told_on_every_answer_and_refuse_in_the_one_shape(rig: Rig) -> None:
    rig.per_minute, rig.per_day = 3, 500
    rig.restart()
    answers = [rig.client.get(path) for path in (RANKINGS, f"{RANKINGS}?limit=0", "/api/v1/apps/9", RANKINGS)]
    assert [200, 400, 404, 429] == [answer.status_code for answer in answers]
    assert ["2", "1", "0", "0"] == [answer.headers["x-ratelimit-remaining"] for answer in answers]
    assert {"3"} == {answer.headers["x-ratelimit-limit"] for answer in answers}
    refused = answers[-1]
    assert {"limit": 3, "window": "minute"} == refused.json()["error"]["metadata"]
    assert 60 == int(refused.headers["retry-after"])
    assert rig.clock_ms() // 1000 + 60 == int(refused.headers["x-ratelimit-reset"])
    rig.now += timedelta(minutes=1)
    assert 200 == rig.client.get(RANKINGS).status_code


def test_an_account_shares_its_day_over_its_keys_and_with_nobody_else(rig: Rig) -> None:
    rig.per_day = 2
    other = rig.catalog.create_key("other", ["data"], account="other").secret
    rotated = rig.catalog.rotate_key(1)
    rig.key = rotated.secret
    rig.restart()
    assert [200, 200, 429] == [rig.client.get(path).status_code for path in (RANKINGS, "/api/v1/apps", MODEL_APPS)]
    again = rig.catalog.rotate_key(rotated.key.id).secret
    asked = {
        secret: rig.client.get(RANKINGS, headers={"Authorization": f"Bearer {secret}"}) for secret in (again, other)
    }
    assert [429, 200] == [answer.status_code for answer in asked.values()]


def test_who_has_no_key_takes_nothing_of_anybodys_rate_limits(rig: Rig) -> None:
    rig.per_minute = 1
    lacking = rig.catalog.create_key("lacking", ["inference"]).secret
    rig.restart()
    for path in ROUTES:
        assert 401 == rig.client.get(path, headers={"Authorization": "Bearer nobody"}).status_code
        assert 403 == rig.client.get(path, headers={"Authorization": f"Bearer {lacking}"}).status_code
    assert 200 == rig.client.get(RANKINGS).status_code


SENT_BY_SCRIPTS = {
    "authorization",
    "x-api-key",
    "content-type",
    "if-none-match",
    "http-referer",
    "x-openrouter-title",
    "x-title",
    "x-openrouter-categories",
    "anthropic-version",
}
READ_BY_SCRIPTS = {
    "etag",
    "retry-after",
    "x-generation-id",
    "x-tokenboard-app",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
}


def test_other_origins_may_read_when_the_setting_says_so(rig: Rig) -> None:
    assert "access-control-allow-origin" not in rig.client.get(RANKINGS).headers
    for origin in ("*", "https://pages.example"):
        rig.cors = origin
        rig.restart()
        for path in (RANKINGS, f"{RANKINGS}?limit=0", "/api/v1/apps", "/api/v1/apps/1", MODEL_APPS):
            answer = rig.client.get(path)
            assert origin == answer.headers["access-control-allow-origin"]
            assert "X-RateLimit-Remaining" in answer.headers["access-control-expose-headers"]
            assert ("Origin" in answer.headers.get("vary", "")) == (origin != "*")
        preflight = rig.client.options(
            RANKINGS, headers={"Origin": "https://pages.example", "Access-Control-Request-Headers": "authorization"}
        )
        assert (204, origin) == (preflight.status_code, preflight.headers["access-control-allow-origin"])
        allowed = {name.strip().lower() for name in preflight.headers["access-control-allow-headers"].split(",")}
        assert SENT_BY_SCRIPTS <= allowed
        assert READ_BY_SCRIPTS <= {
            name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")
        }
        assert origin == rig.client.get("/api/v1/attribution").headers["access-control-allow-origin"]
        assert "access-control-allow-origin" not in rig.client.get("/api/v1/admin/apps").headers


def test_a_page_of_parquet_says_what_it_is_of(rig: Rig) -> None:
    rig.use(Use())
    body = rig.client.get(RANKINGS, params={"format": "parquet"}).content
    assert b"tokenboard.as_of" in io.BytesIO(body).read()


def test_a_model_without_an_author_has_an_address_too(rig: Rig) -> None:
    rig.use(Use("https://local.example", model="llama3:8b"))
    rows = rig.get("/models/llama3:8b/apps")["data"]
    assert ["https://local.example"] == [row["url"] for row in rows]
    assert 404 == rig.client.get("/api/v1/models/llama3:70b/apps").status_code
