"""What lies in deploy/ is taken by the tools it is for, and says what the program understands."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tokenboard.config import load_settings

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = sorted((DEPLOY / "compose").glob("*.yaml"))
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*/*.yaml") if path.name != "kustomization.yaml")
KUBERNETES = "1.31"


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


def test_hadolint_has_nothing_to_say_about_the_dockerfile() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint has no wheel for this platform")
    said = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (0, "") == (said.returncode, said.stdout)


def test_the_image_is_built_from_files_that_are_there_and_reach_the_builder() -> None:
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        name
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert (copied, True) == (kept, all((ROOT / name).exists() for name in copied))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_kubernetes_takes_each_manifest(path: Path) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    for document in documents(path):
        validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", ["one-pod", "scaled"])
def test_a_kustomization_names_every_file_beside_it_and_no_other(folder: str) -> None:
    place = DEPLOY / "kubernetes" / folder
    (kustomization,) = documents(place / "kustomization.yaml")
    named = {*kustomization["resources"]}
    named |= {entry.rpartition("=")[2] for made in kustomization["configMapGenerator"] for entry in made["files"]}
    assert named | {"kustomization.yaml"} == {path.name for path in place.iterdir()}


@pytest.mark.parametrize("path", sorted((DEPLOY / "kubernetes").glob("*/*.toml")), ids=lambda path: path.name)
def test_the_settings_of_manifests_are_settings(path: Path) -> None:
    load_settings(path)


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_a_compose_file_refers_to_nothing_that_it_does_not_have(path: Path) -> None:
    (file,) = documents(path)
    services = file["services"]
    missing = []
    for name, service in services.items():
        needs = service.get("depends_on", {})
        missing += [f"{name}: service {each}" for each in needs if each not in services]
        missing += [f"{name}: secret {each}" for each in service.get("secrets", ()) if each not in file["secrets"]]
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            known = (path.parent / source).exists() if source.startswith(".") else source in file["volumes"]
            missing += [] if known else [f"{name}: volume {source}"]
        if "build" in service:
            built = service["build"]
            context = path.parent / built["context"]
            missing += [] if (context / built["dockerfile"]).exists() else [f"{name}: {built['dockerfile']}"]
    assert [] == missing


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_the_variables_of_a_compose_file_are_settings(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = documents(path)
    of_services = [service.get("environment", {}) for service in file["services"].values()]
    seen = 0
    for variables in of_services:
        ours = {name: value for name, value in variables.items() if name.startswith("TOKENBOARD_")}
        with monkeypatch.context() as patched:
            for name in [name for name in os.environ if name.startswith("TOKENBOARD_")]:
                patched.delenv(name)
            for name, value in ours.items():
                patched.setenv(name, re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value))
            load_settings(None)
        seen += len(ours)
    assert seen > 0


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_docker_compose_takes_the_file(path: Path, tmp_path: Path) -> None:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("no docker-compose here")
    file = tmp_path / "docker-compose.yml"
    # The stand-alone program of Debian is older than the key `name`.
    file.write_text(re.sub(r"(?m)^name: .*$", "", path.read_text("utf-8")))
    said = subprocess.run([program, "--file", file, "config", "--quiet"], capture_output=True, text=True, check=False)
    assert (0, "") == (said.returncode, said.stderr)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / "tokenboard.service"
    text = (DEPLOY / "systemd" / "tokenboard.service").read_text()
    unit.write_text(text.replace("/opt/tokenboard/bin/tokenboard", "/bin/true"))
    said = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert (0, "") == (said.returncode, said.stderr)


def test_the_unit_calls_a_command_that_there_is() -> None:
    (call,) = re.findall(
        r"(?m)^ExecStart=\S+/tokenboard (.*)$", (DEPLOY / "systemd" / "tokenboard.service").read_text()
    )
    words = call.split()
    assert ["--data", "serve", "--config"] == [words[0], words[2], words[3]]
    said = subprocess.run(
        [sys.executable, "-m", "tokenboard", *words[:3], "--help"], capture_output=True, text=True, check=False
    )
    assert (0, True) == (said.returncode, "--config" in said.stdout)


def commands() -> Iterator[list[str]]:
    for path in COMPOSE:
        for service in documents(path)[0]["services"].values():
            if service.get("image") == "tokenboard" and "command" in service:
                yield service["command"]
    for path in MANIFESTS:
        for document in documents(path):
            if document["kind"] == "StatefulSet":
                yield document["spec"]["template"]["spec"]["containers"][0]["args"]


def test_every_container_calls_a_command_that_there_is() -> None:
    called = {command[0] for command in commands()}
    assert {"serve", "board", "gateway"} == called
