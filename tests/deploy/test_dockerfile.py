"""The Dockerfile: two stages, pinned, without root, and only with what belongs in it."""

from __future__ import annotations

import fnmatch
import re
import tomllib

from tests.deploy.mqtt import REPOSITORY
from tests.test_project import project_files

TEXT = (REPOSITORY / "Dockerfile").read_text("utf-8")
LINES = re.sub(r"\\\n\s*", "", TEXT).splitlines()
STAGES = [line.split()[1] for line in LINES if line.startswith("FROM ")]
FINAL = LINES[max(i for i, line in enumerate(LINES) if line.startswith("FROM ")) :]


def in_context(path: str) -> bool:
    """Whether .dockerignore lets a file through; the last line that matches decides."""
    passed = True
    for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        parents = [path, *(path[: slash.start()] for slash in re.finditer("/", path))]
        if pattern.startswith("**/"):
            matches = pattern.removeprefix("**/") in path.split("/")
        else:
            matches = any(fnmatch.fnmatch(parent, pattern) for parent in parents)
        if matches:
            passed = line.startswith("!")
    return passed


def test_two_stages_of_one_pinned_base() -> None:
    """What is installed in the first runs on the same Python in the second."""
    assert STAGES == ["${PYTHON_IMAGE}"] * 2
    assert "ARG PYTHON_IMAGE=python:3.12-slim-bookworm" in LINES


def test_final_stage_has_no_tools_and_no_root() -> None:
    """Nothing is installed in it; it runs as a user that is a number; it says how it is."""
    assert not any(re.search(r"\b(apt|apk|pip|gcc|make|curl|wget)\b", line) for line in FINAL)
    assert [line for line in FINAL if line.startswith("USER ")] == ["USER 10001:10001"]
    last_root = max(i for i, line in enumerate(FINAL) if line.startswith(("RUN", "COPY")))
    assert FINAL.index("USER 10001:10001") > last_root
    assert any(line.startswith("HEALTHCHECK ") for line in FINAL)
    assert 'ENTRYPOINT ["patrol"]' in FINAL


def test_versions_are_the_tested_ones() -> None:
    """Every installation of dependencies is held to constraints.txt, and compiles nothing."""
    installs = [line for line in LINES if "pip install" in line]
    assert len(installs) == 2
    assert "--constraint constraints.txt" in installs[0]
    assert "--only-binary :all:" in installs[0]
    assert "--no-deps" in installs[1]


def test_context_is_what_the_image_needs() -> None:
    """The wheel's packages and files go in; tests, secrets, data and history stay out."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    folders = {*wheel["packages"], *wheel["force-include"]}
    single = {"constraints.txt", "pyproject.toml", "README.md", "LICENSE", "docker/patrol/ready.py"}
    wanted = {
        path
        for file in project_files()
        if (path := str(file.relative_to(REPOSITORY))) in single or path.split("/")[0] in folders
    }
    given = {str(f.relative_to(REPOSITORY)) for f in project_files()}
    assert {path for path in given if in_context(path)} == wanted
    for path in ("secrets/mqtt_patrol", ".env", ".git/config", "data/log.sqlite", ".venv/bin/pip"):
        assert not in_context(path)
