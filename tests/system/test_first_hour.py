"""The first hour of a new user: what `serve` prints and the README says, pasted as it stands, and the first call."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.board import BoardProcess, running_board, today, wait_for

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
README_URL = "http://127.0.0.1:8787"
APP, URL = "Night Owl", "https://nightowl.example"
HEADERS = {"HTTP-Referer": URL, "X-OpenRouter-Title": APP}
TWINS = ("/index", "/rankings", "/apps", "/apps/1", "/models", "/models/tokenboard/echo")
pytestmark = pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[BoardProcess]:
    """Return a board that has just made its first key."""
    with running_board(tmp_path / "data") as board:
        wait_for(lambda: first_key(board), explain=board.log)
        yield board


def first_key(board: BoardProcess) -> str | None:
    found = re.search(r"Your first key, shown this once: +(\S+)", board.log())
    return found[1] if found else None


def patient(board: BoardProcess) -> str:
    """Return what makes a shell's ``sleep`` last until all usage is counted: how long that takes is the machine's."""
    counted = f"curl -s {board.url}/readyz | tr -d ' ' | grep -q '\"pending\":0'"
    return f"sleep() {{ until {counted}; do command sleep 0.1; done; }}\n"


def paste(script: str, **environment: str) -> str:
    """Run a script in a shell that finds this Python; return what it printed, which must be no error."""
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e"],
        input=script,
        env=os.environ | {"PATH": paths} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def documents(printed: str) -> list[dict[str, Any]]:
    """Return the JSON objects that commands printed one after another."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := printed.find("{", at)) >= 0:
        one, at = decoder.raw_decode(printed, at)
        found.append(one)
    return found


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(block: str) -> list[str]:
    """Return the commands of a console block: what follows ``$``, over as many lines as it has."""
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)


# --- what `serve` prints --------------------------------------------------------------------------------------------


def test_what_serve_prints_shows_the_app_at_the_first_paste(fresh: BoardProcess) -> None:
    text = fresh.log()
    script = re.sub(r"^[A-Z][^\n]*:\n", "", text[text.index("export TOKENBOARD_KEY=") :], flags=re.MULTILINE)
    printed = paste(patient(fresh) + script)
    answer, ranking = documents(printed)
    assert "Hello, board!" == answer["choices"][0]["message"]["content"]
    assert [("Night Owl", 1, "4")] == [(row["app_name"], row["rank"], row["total_tokens"]) for row in ranking["data"]]
    assert printed.rstrip().endswith("Hello, board!"), "the Python snippet"
    assert APP in the_page_that_is_told(fresh)


def the_page_that_is_told(board: BoardProcess) -> str:
    told = re.search(r"Its app is at (\S+) within two seconds", board.log())
    assert told is not None
    return httpx.get(told[1], follow_redirects=True).text


def test_what_serve_prints_leads_to_the_app_on_a_board_whose_pages_show_completed_days(fresh: BoardProcess) -> None:
    key = {"Authorization": f"Bearer {first_key(fresh)}"}
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    used = {"model": "m", "prompt_tokens": 1_000, "completion_tokens": 1, "referer": "https://busy.example"}
    body = json.dumps([used | {"id": str(number), "ts": yesterday} for number in range(3)])
    assert 202 == httpx.post(f"{fresh.url}/api/v1/usage", headers=key, content=body).status_code
    text = fresh.log()
    call = text[text.index("export TOKENBOARD_KEY=") : text.index("Its app is at")]

    paste(patient(fresh) + call + "sleep 2")

    assert APP not in httpx.get(fresh.url).text
    assert APP in the_page_that_is_told(fresh)


def test_a_restart_says_how_to_list_and_make_keys(fresh: BoardProcess) -> None:
    assert 0 == fresh.stop()
    printed_before = len(fresh.log())
    fresh.start()
    wait_for(lambda: "keys list" in fresh.log()[printed_before:], explain=fresh.log)
    text = fresh.log()[printed_before:]
    assert "This folder has 1 key already." in text
    assert "first key" not in text
    listing, making = re.findall(r"^(.* keys (?:list|create) ?.*)$", text, re.MULTILINE)
    assert "first key" in paste(listing)
    made = paste(making).split()[0]
    assert made.startswith("tb-")
    assert 200 == httpx.get(f"{fresh.url}/api/v1/attribution", headers={"Authorization": f"Bearer {made}"}).status_code


# --- the README -----------------------------------------------------------------------------------------------------


def test_the_readme_s_commands_do_what_it_says(fresh: BoardProcess) -> None:
    secret = first_key(fresh)
    assert secret is not None
    given = [command for block in blocks("console") for command in commands(block)]
    given = [command for command in given if command.startswith(("export ", "curl ", "sleep "))]
    assert 5 == len(given)
    script = "\n".join(given).replace(README_URL, fresh.url).replace("tb-…", secret)
    *documents, trending, _ = paste(patient(fresh) + script.replace("curl -s ", "curl -s -w '\\n---\\n' ")).split(
        "\n---\n"
    )
    answer, ranking, attribution = map(json.loads, documents)
    assert "Hello, board!" == answer["choices"][0]["message"]["content"]
    told = {"app_id": 1, "app_name": APP, "rank": 1, "total_requests": 1, "total_tokens": "4"}
    assert [told] == ranking["data"]
    assert json.dumps(told, separators=(",", ":")) in README
    assert (True, None, []) == tuple(attribution["data"][name] for name in ("tracked", "reason", "warnings"))
    assert {"app_id", "app_name", "rank"} <= set(trending.split(","))


def test_the_readme_s_python_runs_as_it_is_copied(fresh: BoardProcess) -> None:
    secret = first_key(fresh)
    assert secret is not None
    call, ranking = (block.replace(README_URL, fresh.url) for block in blocks("python"))
    assert "pip install openai openrouter" in README
    assert "Hello, board!" == paste(f"python - <<'END'\n{call}END", TOKENBOARD_KEY=secret).strip()
    fresh.wait_until_counted()
    assert f"1 {APP} 4" == paste(f"python - <<'END'\n{ranking}END", TOKENBOARD_KEY=secret).strip()


def test_the_sample_app_earns_no_warning(fresh: BoardProcess) -> None:
    for text in (README, fresh.log()):
        for name, value in HEADERS.items():
            assert f"{name}: {value}" in text
    told = httpx.get(
        f"{fresh.url}/api/v1/attribution", headers=HEADERS | {"Authorization": f"Bearer {first_key(fresh)}"}
    ).json()["data"]
    assert (True, APP, []) == (told["tracked"], told["app"]["name"], told["warnings"])


# --- the first call -------------------------------------------------------------------------------------------------


def test_the_first_call_shows_wherever_one_looks(fresh: BoardProcess) -> None:
    with httpx.Client(base_url=fresh.url, timeout=60) as reader:
        tags = {address: reader.get(address).headers.get("etag", "") for address in _shows()}
        with openai.OpenAI(base_url=f"{fresh.url}/api/v1", api_key=first_key(fresh), max_retries=0) as client:
            client.chat.completions.create(
                model="tokenboard/echo",
                messages=[{"role": "user", "content": "Hello, board!"}],
                extra_headers=HEADERS,
            )
        for address, shows in _shows().items():

            def shown(address: str = address, shows: Callable[[httpx.Response], bool] = shows) -> bool:
                # As a browser asks that has kept the page of before.
                answer = reader.get(address, headers={"If-None-Match": tags[address]})
                return answer.status_code == 200 and shows(answer)

            wait_for(shown, 60, partial(str, address), every_s=0.05)


def _shows() -> dict[str, Callable[[httpx.Response], bool]]:
    """Return every address of the first app's board, and how it shows the four tokens of the first call."""
    day = str(today())
    shows: dict[str, Callable[[httpx.Response], bool]] = {}
    for path in TWINS:
        page = "/" if path == "/index" else path
        shows[page] = lambda answer: "today so far" in answer.text.lower() and ">4<" in answer.text
        shows[f"{path}.json"] = _of_today
        shows[f"{path}.csv"] = lambda answer: ",4," in answer.text and day in answer.text
        shows[f"{path}.parquet"] = lambda answer: answer.content.startswith(b"PAR1")
    shows["/models/tokenboard/echo?tab=apps"] = lambda answer: APP in answer.text
    shows["/apps?q=night"] = lambda answer: APP in answer.text
    for query in ("", "?period=month"):
        shows[f"/badge/apps/1.svg{query}"] = lambda answer: "#1 · 4 tokens today" in answer.text
        shows[f"/badge/apps/1.json{query}"] = lambda answer: answer.json()["message"] == "#1 · 4 tokens today"
    for chart in ("rankings", "models", "apps/1/models"):
        shows[f"/charts/{chart}.svg"] = lambda answer: " · 4 tokens" in answer.text
    for chart in ("models/tokenboard/echo", "apps/1/tokens"):
        shows[f"/charts/{chart}.svg"] = lambda answer: " · completion · 2 tokens" in answer.text
    for image in ("rankings", "apps/1", "models/tokenboard/echo"):
        shows[f"/share/{image}.png"] = lambda answer: answer.headers["content-type"] == "image/png"
    shows["/feeds/apps/1.atom"] = lambda answer: APP in answer.text
    return shows


def _of_today(answer: httpx.Response) -> bool:
    told = answer.json()
    meta = told["meta"]
    return ("today", str(today()), False) == (
        meta["period"],
        meta["end_date"],
        meta["complete"],
    ) and '"total_tokens":"4"' in answer.text
