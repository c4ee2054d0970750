"""`tokenboard keys`: before, during and after a server."""

import json
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.board import BoardProcess
from tests.cli.conftest import Run

ALL = "inference,data,ingest,admin"


def models(board: BoardProcess, secret: str) -> int:
    """Return the status with which the gateway answers this key."""
    return httpx.get(f"{board.url}/v1/models", headers={"Authorization": f"Bearer {secret}"}, timeout=30).status_code


def test_keys_made_before_during_and_after_a_server_all_work_on_its_folder(tmp_path: Path) -> None:
    board = BoardProcess(tmp_path / "data")
    before = json.loads(board.run("keys", "create", "--label", "before", "--scopes", ALL, "--json"))
    board.start()
    try:
        during = json.loads(board.run("keys", "create", "--label", "during", "--scopes", ALL, "--json"))
        statuses = [models(board, made["key"]) for made in (before, during)]
    finally:
        code = board.stop()
    after = json.loads(board.run("keys", "create", "--label", "after", "--scopes", ALL, "--json"))

    assert ([200, 200], 0) == (statuses, code)
    assert ([1, 2, 3], {"admin", "data", "inference", "ingest"}) == (
        [made["id"] for made in (before, during, after)],
        set(after["scopes"]),
    )
    assert all(made["key"].startswith("tb-") for made in (before, during, after))
    # The server made no first key of its own: there was one.
    assert "Your first key" not in board.log()


def test_keys_can_be_made_at_every_moment_of_a_servers_first_start(tmp_path: Path) -> None:
    board = BoardProcess(tmp_path / "data", module="tests.brisk")
    starting = Thread(target=board.start)
    starting.start()
    try:
        made: list[dict[str, Any]] = []
        while starting.is_alive() or not made:
            made.append(json.loads(board.run("keys", "create", "--label", f"k{len(made)}", "--json")))
    finally:
        starting.join()
    try:
        made.append(json.loads(board.run("keys", "create", "--label", "last", "--json")))
        answers = [models(board, key["key"]) for key in made]
    finally:
        board.stop()
    assert ([200] * len(made), len(made)) == (answers, len({key["id"] for key in made}))


def test_a_key_without_scopes_may_do_inference_and_read_data(on_data: Run) -> None:
    made = on_data("keys", "create", "--label", "plain", "--json").json

    assert ["data", "inference"] == made["scopes"]
    assert {"key", "id", "label", "account", "scopes", "hint", "created_ms", "revoked_ms"} == set(made)


def test_without_json_the_secret_alone_is_on_standard_output(on_data: Run) -> None:
    done = on_data("keys", "create", "--label", "plain")

    assert (0, 1, "tb-") == (done.code, done.out.count("\n"), done.out[:3])
    assert "key 1 (plain); it is shown this once, keep it safe\n" == done.err


def test_keys_are_listed_with_their_hints_and_never_their_secrets(on_data: Run) -> None:
    secret = on_data("keys", "create", "--label", "one", "--account", "team", "--json").json["key"]
    on_data("keys", "revoke", "1")

    listed, table = on_data("keys", "list", "--json"), on_data("keys", "list")

    assert [("one", "team")] == [(key["label"], key["account"]) for key in listed.json]
    assert listed.json[0]["revoked_ms"] is not None
    assert [["1", f"{secret[:6]}…{secret[-3:]}", "one", "team", "data,inference"]] == [row[:5] for row in table.rows]
    assert secret not in listed.out + table.out


def test_a_revoked_key_is_refused_by_the_running_server_at_once(on_board: Run, board: BoardProcess) -> None:
    made = on_board("keys", "create", "--label", "short-lived", "--json").json
    before = models(board, made["key"])

    done = on_board("keys", "revoke", str(made["id"]))

    assert (200, 401) == (before, models(board, made["key"]))
    assert (0, f"revoked key {made['id']} (short-lived)\n", "") == (done.code, done.out, done.err)


def test_a_rotated_key_is_refused_at_once_and_its_successor_works(on_board: Run, board: BoardProcess) -> None:
    old = on_board("keys", "create", "--label", "rotated", "--scopes", "inference", "--json").json
    models(board, old["key"])

    new = on_board("keys", "rotate", str(old["id"]), "--json").json

    assert (401, 200) == (models(board, old["key"]), models(board, new["key"]))
    assert ("rotated", ["inference"]) == (new["label"], new["scopes"])
    assert old["id"] != new["id"]


def test_revoking_again_changes_nothing_and_rotating_a_revoked_key_is_refused(on_data: Run) -> None:
    on_data("keys", "create", "--label", "x")
    first = on_data("keys", "revoke", "1", "--json").json

    assert first == on_data("keys", "revoke", "1", "--json").json
    refused = on_data("keys", "rotate", "1")
    assert (1, "", "error: key 1 (x) is revoked\nhint: Create a new key with `tokenboard keys create`.\n") == (
        refused.code,
        refused.out,
        refused.err,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["keys", "create", "--label", "x", "--scopes", "inference,root"], "error: not a scope: 'root'"),
        (["keys", "create", "--label", "x", "--scopes", ""], "error: not a scope: ''"),
        (["keys", "create", "--label", " \x1b "], "error: the label has no character that can be seen"),
        (["keys", "create", "--label", "x" * 101], "error: the label has 101 characters; at most 100 are allowed"),
        (["keys", "revoke", "99"], "error: no key with the id 99"),
        (["keys", "revoke", "99999999999999999999"], "error: no key with the id 99999999999999999999"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_hint(arguments: list[str], said: str, on_data: Run, data: Path) -> None:
    data.mkdir()

    done = on_data(*arguments)

    assert (1, "", said) == (done.code, done.out, done.err.splitlines()[0])
    assert done.err.splitlines()[1].startswith("hint: ")


def test_a_label_holds_no_terminal_escape(on_data: Run) -> None:
    on_data("keys", "create", "--label", "a\x1b[31mred\x9b0m\tb")

    assert [["a[31mred0m b"]] == [row[2:3] for row in on_data("keys", "list").rows]


def test_json_is_plain_ascii_whatever_the_label(on_data: Run) -> None:
    done = on_data("keys", "create", "--label", "schlüssel 鍵", "--json")

    assert ("schlüssel 鍵", True) == (done.json["label"], done.out.isascii())


def test_listing_a_folder_that_is_not_there_says_so_and_makes_none(on_data: Run, data: Path) -> None:
    done = on_data("keys", "list")

    assert (1, "", f"error: there is no data folder {data}") == (done.code, done.out, done.err.splitlines()[0])
    assert not data.exists()
