"""The wheel and the source distribution hold what belongs to them, and nothing that was compiled here."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent.parent
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
STRAY = ("tokenboard__mypyc.cpython-311.so", "tokenboard/usage/meter.cpython-311.so", "tokenboard/compiled.json")


def committed() -> list[str]:
    """Return every file of the repository that is there, and no link."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built of a copy in which something lies compiled beside its source."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in committed():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    for name in STRAY:
        (copy / "src" / name).write_bytes(b"")
    for what in ("build_wheel", "build_sdist"):
        subprocess.run([sys.executable, "-c", BUILD, what, str(out)], cwd=copy, check=True, capture_output=True)
    return out


def test_the_wheel_is_pure_and_holds_every_file_of_the_package_and_no_other(built: Path) -> None:
    (wheel,) = built.glob("tokenboard-*-py3-none-any.whl")
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert {name.removeprefix("src/") for name in committed() if name.startswith("src/")} == names


def test_the_source_distribution_holds_the_whole_repository(built: Path) -> None:
    (archive,) = built.glob("tokenboard-*.tar.gz")
    with tarfile.open(archive) as members:
        names = {member.name.split("/", 1)[1] for member in members if member.isfile()}

    assert set(committed()) == {
        name
        for name in names
        if name not in {"PKG-INFO", "setup.cfg"} and not name.startswith("src/tokenboard.egg-info/")
    }
