"""What the project promises about its own files."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# Written in pieces, so that this file does not find itself.
FORBIDDEN = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "deb." + "debian.org",
    "/ro" + "ot/",
    "/ho" + "me/",
    "/wo" + "rk/",
]
LEFT_OVERS = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def test_no_file_names_a_package_registry_or_a_path_of_some_machine() -> None:
    found = [
        (str(path.relative_to(ROOT)), word)
        for path in committed()
        if path.suffix != ".jsonl" and path.suffix in {".py", ".md", ".toml", ".txt", ".sql", ".yml", ".cfg", ""}
        for word in FORBIDDEN
        if word in path.read_text("utf-8")
    ]
    # A test of what browsers send may hold a file URL.
    assert [] == [(path, word) for path, word in found if not path.startswith("tests/attribution")]


def test_nothing_is_left_for_later() -> None:
    words = re.compile(rf"\b({'|'.join(LEFT_OVERS)})\b")
    source = [path for path in committed() if path.suffix in {".py", ".sql"}]
    assert [] == [str(path) for path in source if words.search(path.read_text("utf-8"))]


def test_every_pinned_version_is_exact_and_has_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    assert [] == [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert {} == {name: lines for name, lines in long.items() if lines > 500}


def test_no_third_party_file_is_committed() -> None:
    foreign = re.compile(r"\.min\.(js|css)$|node_modules|-lock\.json$|\.lock$")
    assert [] == [str(path) for path in committed() if foreign.search(str(path))]
