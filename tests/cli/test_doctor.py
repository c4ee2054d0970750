"""`tokenboard doctor`: what it finds, what it keeps secret, and that it changes nothing."""

from pathlib import Path

import pytest

from tests.board import BoardProcess
from tests.cli.conftest import Run
from tests.upstream import OpenAiUpstream
from tokenboard.spool import Spool


def checks(out: str) -> dict[str, str]:
    """Return the findings, the second of the two tables."""
    return dict(line.split("\t") for line in out.partition("\n\n")[2].splitlines())


def test_a_folder_that_is_not_there_is_said_to_be_so_and_not_made(on_data: Run, data: Path) -> None:
    done = on_data("doctor")

    found = checks(done.out)
    assert (0, "") == (done.code, done.err)
    assert f"ok: {data} is not there yet; `tokenboard serve` makes it" == found["data folder"]
    assert {"catalog", "ledger", "spool"} == {name for name in found if found[name].startswith("ok: not there yet")}
    assert [] == list(data.parent.iterdir())


def test_an_empty_folder_stays_empty(on_data: Run, data: Path) -> None:
    data.mkdir()

    done = on_data("doctor")

    assert (0, []) == (done.code, list(data.iterdir()))


def test_a_stopped_board_is_looked_at_and_not_changed(on_data: Run, data: Path) -> None:
    on_data("keys", "create", "--label", "x")

    found = checks(on_data("doctor").out)

    assert "ok: 0 apps, 1 key in force" == found["catalog"]
    assert {"catalog.sqlite", "ids.json"} == {path.name.partition("-")[0] for path in data.iterdir()}


def test_files_that_others_may_read_are_told_with_what_takes_it_from_them(on_data: Run, data: Path) -> None:
    on_data("keys", "create", "--label", "x")
    private = checks(on_data("doctor").out)["privacy"]
    data.chmod(0o755)
    made_beforehand = checks(on_data("doctor").out)["privacy"]
    (data / "backup.tar").touch(mode=0o644)
    (data / "backup.tar").chmod(0o644)

    done = on_data("doctor")

    assert ("ok: nobody else may read the stores",) * 2 == (private, made_beforehand)
    assert (
        f"warning: others may read {data}/backup.tar. Take it from them: chmod -R go= {data}"
        == (checks(done.out)["privacy"])
    )
    assert 0 == done.code


def test_with_a_running_server_it_asks_that_server(on_board: Run, board: BoardProcess) -> None:
    board.wait_until_counted()

    found = checks(on_board("doctor").out)

    assert found["server"].startswith("ok: process ")
    assert f"{board.url}; 0 events wait" in found["server"]
    assert not {"ledger", "spool"} & set(found)


def test_only_the_settings_are_printed_when_only_they_are_asked_for(on_data: Run) -> None:
    done = on_data("doctor", "--settings")

    assert ["server.host", "127.0.0.1"] == done.rows[0]
    assert "data folder" not in done.out


def test_no_secret_is_printed(
    run: Run, data: Path, tmp_path: Path, upstream: OpenAiUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "s3cret-key")
    file = tmp_path / "settings.toml"
    file.write_text(
        f"""
        [catalog]
        url = "postgresql+psycopg://board:s3cret-password@127.0.0.1:9/board?sslpassword=s3cret-parameter"
        [ledger]
        dsn = "clickhouse://board:s3cret-password@127.0.0.1:9/board"
        [[upstream]]
        name = "a"
        base_url = "{upstream.url}"
        headers = {{ X-Key = "s3cret-header" }}
        api_key_env = "UPSTREAM_KEY"
        """
    )

    done = run("--data", data, "--config", file, "doctor")

    shown = {row[0]: row[1] for row in (line.split("\t") for line in done.out.splitlines()) if len(row) == 2}
    assert "s3cret" not in done.out + done.err
    assert ("X-Key: …", "UPSTREAM_KEY", "ok") == (
        shown["upstream[0].headers"],
        shown["upstream[0].api_key_env"],
        shown["upstream a"],
    )
    assert "postgresql+psycopg://board:…@127.0.0.1:9/board?sslpassword=…" == shown["catalog.url"]


def test_upstreams_that_fail_make_it_fail_each_by_name(
    run: Run, data: Path, tmp_path: Path, upstream: OpenAiUpstream
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        f'[[upstream]]\nname = "good"\nbase_url = "{upstream.url}"\n[[upstream]]\nname = "away"\nbase_url = "http://127.0.0.1:9/v1"\n'
    )

    done = run("--data", data, "--config", file, "doctor")

    found = checks(done.out)
    assert (1, "ok", "FAILED: ") == (done.code, found["upstream good"], found["upstream away"][:8])
    assert "Check the upstream's base_url" in found["upstream away"]
    assert "error: 1 of 13 checks failed: upstream away" == done.err.splitlines()[0]
    assert done.err.splitlines()[1].startswith("hint: ")


def test_a_certificate_that_is_not_checked_is_warned_of(run: Run, data: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[[upstream]]\nname = "up"\nbase_url = "https://127.0.0.1:9/v1"\ntls_verify = false\n')

    done = run("--data", data, "--config", file, "doctor")

    assert checks(done.out)["certificate of up"].startswith("warning: not checked: ")
    assert "error: 1 of 13 checks failed: upstream up" == done.err.splitlines()[0]


@pytest.mark.parametrize(
    ("text", "check", "said"),
    [
        ('[gateway]\ndefault_upstream = "x"', "upstreams", "FAILED: [gateway] default_upstream: no [[upstream]]"),
        (
            '[[upstream]]\nname = "a"\nbase_url = "http://a/v1"\napi_key_env = "NOT_SET_ANYWHERE"',
            "upstreams",
            "FAILED: [[upstream]] a: the environment variable NOT_SET_ANYWHERE is not set",
        ),
        (
            '[[attribution.rule]]\nurl = "https://a.example"',
            "rules",
            "FAILED: [[attribution.rule]]: an attribution rule",
        ),
        ('[catalog]\nurl = "mysql://h/db"', "catalog", "FAILED: the catalog runs on SQLite and PostgreSQL"),
    ],
)
def test_settings_that_do_not_fit_together_make_it_fail(
    text: str, check: str, said: str, run: Run, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(text)

    done = run("--data", data, "--config", tmp_path / "settings.toml", "doctor")

    assert (1, said) == (done.code, checks(done.out)[check][: len(said)])


def test_a_file_in_the_data_folders_place_makes_it_fail(on_data: Run, data: Path) -> None:
    data.touch()

    done = on_data("doctor")

    assert (1, f"FAILED: {data} is no folder. Name another with --data.") == (
        done.code,
        checks(done.out)["data folder"],
    )


def test_a_full_spool_makes_it_fail(run: Run, data: Path, tmp_path: Path) -> None:
    spool = Spool(data / "spool", "board", max_bytes=10_000, fsync=False, clock_ms=lambda: 0)
    spool.append_new(lambda _: b"x" * 2_000, [b"1"]).result()
    spool.close()
    (tmp_path / "settings.toml").write_text("[spool]\nmax_bytes = 1000")

    done = run("--data", data, "--config", tmp_path / "settings.toml", "doctor")

    assert (1, "FAILED: full, 2,000 of 1,000 bytes.") == (done.code, checks(done.out)["spool"][:35])


def test_faulty_settings_are_told_in_place_of_any_check(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("[server]\nprot = 1\nhost = 3")

    done = run("--data", data, "--config", tmp_path / "settings.toml", "doctor")

    assert (1, "") == (done.code, done.out)
    assert [
        f"error: {tmp_path}/settings.toml: unknown setting server.prot; did you mean port?",
        f"       {tmp_path}/settings.toml: server.host must be text, in quotes (Address to listen on)",
        "hint: docs/settings.md lists every setting.",
    ] == done.err.splitlines()
