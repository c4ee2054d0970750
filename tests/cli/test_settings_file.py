"""Which settings file a command reads."""

from pathlib import Path

from tests.board import BoardProcess
from tests.cli.conftest import Run
from tests.upstream import OpenAiUpstream


def title(run: Run, *arguments: str | Path) -> str:
    """Return a setting as the command sees it: that of the board's public URL."""
    return {row[0]: row[1] for row in run(*arguments, "doctor", "--settings").rows}["server.base_url"]


def settings(file: Path, name: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'[server]\nbase_url = "https://{name}.example"')
    return file


def test_the_file_named_is_read_else_that_of_the_data_folder_else_that_of_the_working_folder(
    run: Run, data: Path, tmp_path: Path
) -> None:
    seen = [title(run, "--data", data)]
    settings(Path("tokenboard.toml"), "here")
    seen.append(title(run, "--data", data))
    settings(data / "tokenboard.toml", "folder")
    seen.append(title(run, "--data", data))
    seen.append(title(run, "--data", data, "--config", settings(tmp_path / "named.toml", "named")))

    assert ["", "https://here.example", "https://folder.example", "https://named.example"] == seen


def test_a_command_reads_the_file_that_the_running_server_was_started_with(
    on_board: Run, upstream: OpenAiUpstream
) -> None:
    settings(Path("tokenboard.toml"), "here")

    shown = {row[0]: row[1] for row in on_board("doctor", "--settings").rows}

    assert ("", upstream.url) == (shown["server.base_url"], shown["upstream[0].base_url"])


def test_a_file_that_is_not_there_is_told(run: Run, data: Path, board: BoardProcess) -> None:
    for folder in (data, board.data):
        done = run("--data", folder, "--config", "nowhere.toml", "keys", "list")

        assert (1, "error: there is no settings file nowhere.toml") == (done.code, done.err.splitlines()[0])


def test_a_relative_catalog_lies_in_the_data_folder_wherever_the_command_runs(run: Run, data: Path) -> None:
    data.mkdir()
    (data / "tokenboard.toml").write_text('[catalog]\nurl = "sqlite:///other.db"')

    assert run("--data", data, "keys", "create", "--label", "x").code == 0
    assert ((data / "other.db").is_file(), []) == (True, list(Path.cwd().iterdir()))
