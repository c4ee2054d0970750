"""`tokenboard attribute`: the API's answer without a request."""

from pathlib import Path

import httpx

from tests.board import BoardProcess
from tests.cli.conftest import Run

HEADERS = {
    "HTTP-Referer": "https://www.Cline.bot/",
    "X-OpenRouter-Title": "Cline",
    "X-OpenRouter-Categories": "cli-agent,foo",
}


def test_it_needs_no_data_folder_and_makes_none(run: Run, data: Path) -> None:
    done = run(
        "--data", data, "attribute", "--referer", "cline.bot", "--title", "Cline", "--categories", "cli-agent,foo"
    )

    assert {
        "tracked": "yes",
        "app": "https://cline.bot",
        "name": "Cline",
        "app id": "",
        "canonical app id": "",
        "title": "Cline",
        "title from": "x-openrouter-title",
        "categories": "cli-agent",
        "ignored": "foo (unrecognized)",
    } == {row[0]: row[1] for row in done.rows}
    assert ([], []) == (list(data.parent.iterdir()), list(Path.cwd().iterdir()))


def test_what_is_not_tracked_is_shown_with_its_reason_and_is_no_error(run: Run) -> None:
    done = run("attribute", "--title", "Alone")

    assert ["tracked", "no: missing_referer"] == done.rows[0]
    assert "title_without_referer" in done.out


def test_json_is_what_the_api_answers_to_the_same_headers(
    on_board: Run, board: BoardProcess, client: httpx.Client
) -> None:
    client.post(
        "/v1/chat/completions",
        headers=HEADERS,
        json={"model": "tokenboard/echo", "messages": [{"role": "user", "content": "x"}]},
    )
    board.wait_until_counted()
    answered = client.get("/api/v1/attribution", headers=HEADERS).json()

    done = on_board(
        "attribute", "--referer", HEADERS["HTTP-Referer"], "--title", "Cline", "--categories", "cli-agent,foo", "--json"
    )

    assert answered == done.json
    assert answered["data"]["app"]["app_id"] is not None


def test_several_referers_are_read_in_order_and_bytes_of_any_kind_are_shown_safely(run: Run) -> None:
    done = run(
        "attribute",
        "--referer",
        "null",
        "--referer",
        "https://a.example",
        "--title",
        "a\x1b[31m\udcff\u202eb",
        "--json",
    )

    assert ("https://a.example", True) == (done.json["data"]["app"]["url"], done.out.isascii())


def test_rules_of_the_settings_apply(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(
        '[[attribution.rule]]\nurl = "https://tool.example"\nuser_agent_prefix = "Tool/"\ntitle = "The Tool"'
    )

    done = run("--config", file, "attribute", "--user-agent", "tool/1.2")

    rows = {row[0]: row[1] for row in done.rows}
    assert ("https://tool.example", "The Tool", "https://tool.example") == (rows["app"], rows["name"], rows["rule"])


def test_a_catalog_that_is_away_costs_only_the_ids(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    catalog.write_bytes(b"this is no database, whatever its name says" * 100)
    file = tmp_path / "settings.toml"
    file.write_text(f'[catalog]\nurl = "sqlite:///{catalog}"')

    done = run("--config", file, "attribute", "--referer", "https://a.example")

    assert ["app", "https://a.example"] == done.rows[1]
    assert done.err.startswith("note: without the app's ids, as ")
