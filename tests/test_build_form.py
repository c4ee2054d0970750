"""Which form of the hot modules runs: never compiled modules of other sources than those that lie there."""

import json
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tokenboard.build_form import LIBRARY, MANIFEST, PURE, BuildForm, SourcesFirst, Why, digest, find_form

SUFFIX = EXTENSION_SUFFIXES[0]
NOTHING: dict[str, str] = {}
Change = Callable[[Path], object]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with one compiled module, which imports one that is not."""
    package = tmp_path / "lot"
    (package / "usage").mkdir(parents=True)
    (package / "usage" / "meter.py").write_text("from lot.types import WORD\n")
    (package / "types.py").write_text("WORD = 1\n")
    (package / "usage" / f"meter{SUFFIX}").write_bytes(b"machine code")
    manifest(package)
    return package


def manifest(package: Path, suffix: str = SUFFIX, **more: str) -> None:
    sources = {name: digest(package / name) for name in ("usage/meter.py", "types.py")} | more
    content = {"suffix": suffix, "modules": ["usage/meter"], "sources": sources}
    (package / MANIFEST).write_text(json.dumps(content))


def test_compiled_modules_of_these_sources_run(package: Path) -> None:
    assert BuildForm(Why.COMPILED, 1) == find_form(package, NOTHING)


def test_a_package_without_compiled_modules_is_pure(tmp_path: Path) -> None:
    assert BuildForm(Why.NOT_BUILT) == find_form(tmp_path, NOTHING)


@pytest.mark.parametrize(
    "change",
    [
        lambda package: (package / "usage" / "meter.py").write_text("WORD = 2\n"),
        lambda package: (package / "types.py").write_text("WORD = '1'\n"),
        lambda package: (package / "types.py").unlink(),
        lambda package: (package / "usage" / f"meter{SUFFIX}").unlink(),
        lambda package: (package / MANIFEST).write_text("{"),
        lambda package: (package / MANIFEST).write_text("[]"),
        lambda package: (package / MANIFEST).write_text(
            json.dumps({"suffix": SUFFIX, "modules": ["usage/meter"], "sources": {}})
        ),
    ],
    ids=[
        "a hot source was changed",
        "one that it imports was changed",
        "a source is gone",
        "a compiled module is gone",
        "the manifest cannot be read",
        "the manifest is none",
        "the build did not end",
    ],
)
def test_whatever_does_not_fit_is_stale(package: Path, change: Change) -> None:
    change(package)

    assert Why.STALE is find_form(package, NOTHING).why


def test_compiled_modules_without_a_manifest_are_stale(package: Path) -> None:
    (package / MANIFEST).unlink()
    (package.parent / f"{LIBRARY}{SUFFIX}").write_bytes(b"machine code")

    assert Why.STALE is find_form(package, NOTHING).why


def test_a_source_that_was_touched_and_is_the_same_is_not_stale(package: Path) -> None:
    (package / "types.py").touch()

    assert find_form(package, NOTHING).compiled


def test_another_pythons_modules_are_not_ours(package: Path) -> None:
    manifest(package, suffix=".cpython-27-vax.so")

    assert Why.OTHER_PYTHON is find_form(package, NOTHING).why


@pytest.mark.parametrize(("value", "why"), [("1", Why.ASKED_FOR), ("0", Why.COMPILED), ("", Why.COMPILED)])
def test_the_sources_run_when_that_is_asked_for(package: Path, value: str, why: Why) -> None:
    assert why is find_form(package, {PURE: value}).why


def test_the_source_of_each_module_is_found_before_what_was_compiled(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [SourcesFirst(package), *sys.meta_path])
    monkeypatch.syspath_prepend(package.parent)
    try:
        from lot.usage import meter  # type: ignore[import-not-found]  # noqa: PLC0415 - a package made for this test

        assert (1, str(package / "usage" / "meter.py")) == (meter.WORD, meter.__file__)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "lot"]:
            del sys.modules[name]


def test_a_compiled_module_whose_source_is_gone_is_not_there(package: Path) -> None:
    (package / "usage" / "meter.py").unlink()

    with pytest.raises(ModuleNotFoundError, match=r"lot\.usage\.meter"):
        SourcesFirst(package).find_spec("lot.usage.meter")


def test_nothing_else_is_looked_for(package: Path) -> None:
    assert [None, None] == [SourcesFirst(package).find_spec(name) for name in ("lot.usage", "json.decoder")]


@pytest.mark.parametrize("why", Why)
def test_every_form_is_one_line_that_tells_how_to_get_the_other(why: Why) -> None:
    line = str(BuildForm(why, 30))

    assert line.startswith("running compiled: 30" if why is Why.COMPILED else "running as pure Python")
    assert PURE in line or "make compile" in line
    assert "\n" not in line
