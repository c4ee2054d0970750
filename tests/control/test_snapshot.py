import threading
from pathlib import Path

import pytest

from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.auth import Auth
from tokenboard.control import Publisher, SnapshotError, SnapshotFile
from tokenboard.keys import Key, Scope, digest_of
from tokenboard.problem import Problem

NOW_MS = 1_778_544_000_000
OPTIONS = AttributionOptions(
    browser_referer=True,
    rules=(
        AttributionRule("https://night.example", key_label="night"),
        AttributionRule("https://b.dev", None, "b/", "B"),
    ),
)


class Keys:
    """A source of keys, as a catalog is one."""

    def __init__(self) -> None:
        self.revision = 1
        self.held: list[Key] = []

    def add(self, secret: str, *scopes: Scope, revoked_ms: int | None = None) -> None:
        number = len(self.held) + 1
        key = Key(number, 7, "default", f"key {number}", frozenset(scopes), digest_of(secret), "tb-…", 0, revoked_ms)
        self.held.append(key)
        self.revision += 1

    def keys_revision(self) -> int:
        return self.revision

    def keys(self) -> list[Key]:
        return self.held


def publisher(path: Path, keys: Keys, run: str = "run", published: list[int] | None = None) -> Publisher:
    told = [] if published is None else published
    return Publisher(path, keys, OPTIONS, run=run, clock_ms=lambda: NOW_MS, published=told.append)


def test_a_gateway_checks_keys_and_attributes_as_its_board_does(tmp_path: Path) -> None:
    keys = Keys()
    keys.add("tb-good", Scope.INFERENCE)
    keys.add("tb-gone", Scope.INFERENCE, revoked_ms=3)
    publisher(tmp_path / "snapshot", keys).refresh()
    file = SnapshotFile(tmp_path / "snapshot")
    auth = Auth(file)
    assert file.refresh()
    auth.refresh()
    assert keys.held[0] == auth.check_credentials(b"Bearer tb-good", None, Scope.INFERENCE)
    for secret, what in ((b"tb-gone", "has been revoked"), (b"tb-none", "not known here")):
        with pytest.raises(Problem, match=what):
            auth.check_credentials(b"Bearer " + secret, None, Scope.INFERENCE)
    assert file.snapshot is not None
    assert OPTIONS == file.snapshot.options()


def test_a_snapshot_is_written_when_a_key_has_changed_and_then_only(tmp_path: Path) -> None:
    keys, published = Keys(), list[int]()
    board = publisher(tmp_path / "snapshot", keys, published=published)
    for _ in range(3):
        board.refresh()
    assert 1 == len(published)
    keys.add("tb-new", Scope.DATA)
    board.refresh()
    assert published == sorted(set(published))
    assert 2 == len(published)


def test_a_snapshot_that_somebody_removes_or_overwrites_is_written_anew(tmp_path: Path) -> None:
    path, keys = tmp_path / "snapshot", Keys()
    board = publisher(path, keys)
    board.refresh()
    for harm in (path.unlink, lambda: path.write_bytes(b"of another program")):
        harm()
        board.refresh()
        file = SnapshotFile(path)
        file.refresh()
        assert file.snapshot is not None


def test_revisions_grow_over_runs_and_over_clocks_that_are_set_back(tmp_path: Path) -> None:
    first, second = list[int](), list[int]()
    publisher(tmp_path / "snapshot", Keys(), "one", first).refresh()
    later = Publisher(
        tmp_path / "snapshot", Keys(), OPTIONS, run="two", clock_ms=lambda: NOW_MS - 10**9, published=second.append
    )
    later.refresh()
    assert second[0] > first[0]
    file = SnapshotFile(tmp_path / "snapshot")
    file.refresh()
    assert file.snapshot is not None
    assert ("two", second[0]) == (file.snapshot.run, file.keys_revision())


def test_a_damaged_or_foreign_snapshot_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    path, keys = tmp_path / "snapshot", Keys()
    keys.add("tb-good", Scope.INFERENCE)
    publisher(path, keys).refresh()
    file = SnapshotFile(path)
    file.refresh()
    before = file.snapshot
    for damage in (b"", b"\xc1nonsense", path.read_bytes()[:-7]):
        path.write_bytes(damage)
        with pytest.raises(SnapshotError, match="cannot read"):
            file.refresh()
        assert before is file.snapshot
    publisher(path, keys, "again").refresh()
    assert file.refresh()
    assert before != file.snapshot


def test_a_reader_finds_one_snapshot_or_the_other_whole(tmp_path: Path) -> None:
    path, keys = tmp_path / "snapshot", Keys()
    board, file, done = publisher(path, keys), SnapshotFile(path), threading.Event()
    board.refresh()

    def write() -> None:
        for number in range(100):
            keys.add(f"tb-{number}", Scope.INFERENCE)
            board.refresh()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    sizes = []
    while not done.is_set():
        if file.refresh():
            sizes.append(len(file.keys()))
    writer.join()
    file.refresh()
    assert 100 == len(file.keys())
    assert sizes == sorted(sizes)


def test_what_is_published_is_its_owners_alone(tmp_path: Path) -> None:
    publisher(tmp_path / "snapshot", Keys()).refresh()
    assert 0o600 == (tmp_path / "snapshot").stat().st_mode & 0o777
    assert b"tb-" not in (tmp_path / "snapshot").read_bytes()
