"""The data folder: one owner, found by others, nothing left behind that misleads."""

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.board import wait_for
from tokenboard.app import folder as module
from tokenboard.app.folder import DataFolder, FolderInUse, FolderMissing, FolderUnusable
from tokenboard.app.privacy import exposed
from tokenboard.app.running_server import RunningServer

SERVER = RunningServer(pid=7, url="http://127.0.0.1:1", nudge_token="token", config=None)

LEFT_BEHIND = json.dumps({"pid": 1, "url": "http://x", "nudge_token": "", "config": None})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    opened = DataFolder(tmp_path / "data")
    yield opened
    opened.release()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OWN_WITHIN_S", 0.05)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_and_the_servers_file_are_their_owners_alone(folder: DataFolder) -> None:
    folder.own()
    folder.announce(SERVER)

    assert (0o700, 0o600) == (mode(folder.path), mode(folder.path / "server.json"))


def test_stores_that_others_could_read_are_their_owners_alone_once_the_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "ledger" / "store").mkdir(parents=True)
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "notes.txt", "ledger/store/part"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o644)
    (tmp_path / "elsewhere").write_text("x")
    (tmp_path / "elsewhere").chmod(0o644)
    (tmp_path / "limits.sqlite").symlink_to(tmp_path / "elsewhere")
    tmp_path.chmod(0o755)
    folder = DataFolder(tmp_path)

    folder.own()
    folder.release()

    modes = [mode(tmp_path / name) for name in ("catalog.sqlite", "catalog.sqlite-wal", "ledger")]
    assert ([0o600, 0o600, 0o700], 0o644) == (modes, mode(tmp_path / "elsewhere"))
    # What is not ours is left to its owner, and told: it lies within reach.
    assert {tmp_path / "notes.txt", tmp_path / "elsewhere"} == set(exposed([tmp_path]))
    tmp_path.chmod(0o700)
    assert [] == exposed([tmp_path])


def test_temporary_files_of_before_are_gone_and_their_folder_stays(folder: DataFolder) -> None:
    folder.own()
    (folder.path / "tmp" / "left").mkdir()
    (folder.path / "tmp" / "left" / "file").touch()
    (folder.path / "tmp" / "insert").touch()
    folder.release()

    assert [] == list((folder.path / "tmp").iterdir())


def test_looking_at_a_folder_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")

    assert folder.running() is None
    with pytest.raises(FolderMissing, match=r"there is no data folder .*data$"):
        folder.require()
    assert [] == list(tmp_path.iterdir())


def test_a_server_is_found_from_its_announcement_until_it_ends(folder: DataFolder) -> None:
    other = DataFolder(folder.path)
    folder.own()
    before = other.running()
    folder.announce(SERVER)
    meanwhile = other.running()
    folder.release()

    assert (None, SERVER, None) == (before, meanwhile, other.running())
    assert not (folder.path / "server.json").exists()


@pytest.mark.usefixtures("_impatient")
def test_a_folder_has_one_owner_and_the_second_is_told_who(folder: DataFolder) -> None:
    folder.own()
    folder.announce(SERVER)

    with pytest.raises(FolderInUse, match=r"a server already runs on .* \(process 7, http://127.0.0.1:1\)"):
        DataFolder(folder.path).own()


@pytest.mark.usefixtures("_impatient")
def test_an_owner_that_is_no_server_is_not_called_one(folder: DataFolder) -> None:
    folder.own()

    with pytest.raises(FolderInUse, match="another tokenboard process is using"):
        DataFolder(folder.path).own()


def test_what_a_killed_server_left_is_not_taken_for_a_server(folder: DataFolder) -> None:
    folder.create()
    (folder.path / "server.lock").touch()
    (folder.path / "server.json").write_text(
        json.dumps({"pid": 1, "url": "http://x", "nudge_token": "", "config": None})
    )
    other = DataFolder(folder.path)

    stopped = other.running()
    folder.own()

    assert (None, None) == (stopped, other.running())


def test_commands_that_look_for_a_server_at_once_do_not_take_each_other_for_one(folder: DataFolder) -> None:
    folder.create()
    (folder.path / "server.lock").touch()
    (folder.path / "server.json").write_text(LEFT_BEHIND)

    with looking(folder.path) as seen:
        wait_for(lambda: len(seen) > 1_000)

    assert {None} == set(seen)


def test_commands_that_look_for_a_server_keep_none_from_starting(folder: DataFolder) -> None:
    with looking(folder.path) as seen:
        for _ in range(20):
            folder.own()
            folder.release()

    assert {None} == set(seen)


@contextmanager
def looking(path: Path) -> Iterator[list[RunningServer | None]]:
    """Let three threads look for a server all the time; yield what they have seen so far."""
    ended = threading.Event()
    seen: list[RunningServer | None] = []

    def look() -> None:
        while not ended.is_set():
            seen.append(DataFolder(path).running())

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        yield seen
    finally:
        ended.set()
        for looker in lookers:
            looker.join()


def test_an_announcement_that_is_damaged_is_no_server(folder: DataFolder) -> None:
    folder.own()
    for text in ("", "[]", '{"pid": 1}', "nonsense"):
        (folder.path / "server.json").write_text(text)

        assert DataFolder(folder.path).running() is None


@pytest.mark.parametrize("name", ["a?b", "a#b"])
def test_a_path_that_store_urls_would_cut_off_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"must not hold \? or #"):
        DataFolder(tmp_path / name).own()

    assert [] == list(tmp_path.iterdir())


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(FolderUnusable, match=r"cannot make the data folder .*: File exists"):
        DataFolder(tmp_path / "data").create()


def test_a_folder_whose_lock_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "server.lock").mkdir()

    with pytest.raises(FolderUnusable, match=r"cannot write .*server.lock: Is a directory"):
        DataFolder(tmp_path).own()
