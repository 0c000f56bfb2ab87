"""The project as a whole: its documents keep up with it, and it is at home anywhere."""

from __future__ import annotations

import re
import subprocess
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from pydantic.fields import FieldInfo

from patrol.config.sections import Settings, keys_of
from patrol.config.tables import NAMED_TABLES
from words.times import duration_s

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text("utf-8")
TABLES: list[tuple[str, ...]] = [
    (name, "NAME") if name in NAMED_TABLES else (name,) for name in Settings.model_fields
]
TABLES.insert(TABLES.index(("vendors", "NAME")) + 1, ("vendors", "NAME", "mapping"))
SECTIONS: dict[tuple[str, ...], dict[str, FieldInfo]] = {table: keys_of(table) for table in TABLES}

DURATIONS = {
    "max_age",
    "frequency",
    "look_back",
    "close_hold",
    "bike_offline_after",
    "bike_forgotten_after",
    "rejects_period",
    "session_idle",
    "session_max",
}
"""Keys that are text in the file and seconds inside."""


def project_files() -> list[Path]:
    """What git tracks, or would if it were added."""
    # A checkout in a container often belongs to somebody else.
    trusting = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(
        [*trusting, "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


def documents() -> list[Path]:
    return [file for file in project_files() if file.suffix == ".md"]


def test_the_architecture_names_files_that_there_are() -> None:
    """The way of a message and of an alert is a way through files."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = re.findall(r"`((?:\w+/)+[\w.]*)`", text)
    assert len(named) > 40
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["docs/guarantees.md", "SECURITY.md"])
def test_a_promise_names_tests_that_there_are(page: str) -> None:
    """A promise without the test that shows it is none."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / page).read_text("utf-8"))
    assert len(named) > 5
    for file, test in named:
        assert f"def {test}" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:pypi|pythonhosted|npmjs|crates|debian|ubuntu|docker|quay|ghcr)\.(?:org|com|io|net)",
        r"--(?:extra-)?index-url|--find-links|--trusted-host",
        r"(?<![\w.:/~*-])/(?:home|root|Users|work|workspace|mnt|media|opt/wheels)/\w",
    ],
    ids=["registry", "index option", "path of a machine"],
)
def test_no_file_depends_on_one_machine_or_registry(pattern: str) -> None:
    """Where packages come from and where a checkout lies is its user's business."""
    found = []
    for file in project_files():
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # pictures
        if file != Path(__file__):
            found += [f"{file.relative_to(ROOT)}: {hit[0]}" for hit in re.finditer(pattern, text)]
    assert found == []


def test_no_import_leads_back_to_where_it_began() -> None:
    """Not within a package either, and not for types alone."""
    graph = grimp.build_graph(*PACKAGES)
    assert len(graph.modules) > len(PACKAGES)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()  # its error names the circle


def test_no_file_of_the_product_is_too_long() -> None:
    """At 300 lines it is worth a thought whether it is one idea; 500 are the end."""
    sources = [
        file
        for file in project_files()
        if file.relative_to(ROOT).parts[0] in PACKAGES and file.suffix in (".py", ".js", ".css")
    ]
    assert len(sources) > 100
    lengths = {file: len(file.read_text("utf-8").splitlines()) for file in sources}
    assert {str(file) for file, lines in lengths.items() if lines > 500} == set()


def documented(table: tuple[str, ...]) -> dict[str, str]:
    """The keys that docs/configuration.md describes in a section, and their defaults."""
    heading = f"## [{'.'.join(table)}]\n"
    assert heading in CONFIGURATION, f"docs/configuration.md has no section {heading.strip()}"
    section = CONFIGURATION.split(heading)[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE))


def default_of(field: FieldInfo) -> object:
    """A default as its key's type is written; None when there is none."""
    default = field.get_default()
    if isinstance(default, Path):
        return str(default)
    return list(default) if isinstance(default, tuple) else default


@pytest.mark.parametrize("table", SECTIONS, ids=".".join)
def test_every_setting_is_documented(table: tuple[str, ...]) -> None:
    """docs/configuration.md has the keys that there are, and no others."""
    assert set(documented(table)) == set(SECTIONS[table])


@pytest.mark.parametrize("table", SECTIONS, ids=".".join)
def test_documented_defaults_are_true(table: tuple[str, ...]) -> None:
    """Required is said where it is so; a default has the value that the program uses."""
    for key, written in documented(table).items():
        field = SECTIONS[table][key]
        if field.is_required():
            assert written == "required", key
        elif written == "–":
            assert field.get_default() is None, key
        else:
            value = tomllib.loads(f"value = {written.strip('`')}")["value"]
            if str(field.alias) in DURATIONS:
                value = duration_s(value)
            assert value == default_of(field), key


def test_documented_sections_are_those_that_there_are() -> None:
    """A section that was removed is removed from docs/configuration.md as well."""
    headings = re.findall(r"^## \[(.+)\]$", CONFIGURATION, re.MULTILINE)
    assert headings == [".".join(table) for table in SECTIONS]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_in_documents_exist(name: str) -> None:
    """Every `make …` that a document tells people to run can be run."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(
        r"(?:^ {4}|`)make ([a-z]+(?: [a-z]+)*)", (ROOT / name).read_text("utf-8"), re.M
    )
    wanted = {target for words in named for target in words.split()}
    assert wanted
    assert wanted <= set(targets)


def test_links_between_documents_lead_somewhere() -> None:
    """Files and pictures that a document links to are there."""
    broken = [
        f"{file.relative_to(ROOT)}: {link}"
        for file in documents()
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", file.read_text("utf-8"))
        if not (file.parent / link).exists()
    ]
    assert broken == []


def test_pins_cover_what_is_asked_for() -> None:
    """constraints.txt has a version of every dependency and nothing but versions."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = {normal(line.partition("==")[0]) for line in lines if not line.startswith("#")}
    assert all(re.fullmatch(r"[\w.-]+==[\w.!+]+|#.*", line) for line in lines)
    project = PROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {normal(re.match(r"[\w.-]+", text)[0]) for text in asked} <= pins  # type: ignore[index]


def normal(name: str) -> str:
    """The name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
