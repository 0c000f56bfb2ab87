"""What documents tell people to type can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from patrol.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

COMMAND = re.compile(r"(?:^ {4}|`)(?:\S*/)?patrol((?: +[^`\n#|>]+)?)", re.MULTILINE)
DEMO = re.compile(r'make demo ARGS="([^"]*)"')


def commands_in(text: str) -> list[list[str]]:
    """The arguments of every `patrol …` in a document, and of every `make demo`."""
    found = [match[1].split() for match in COMMAND.finditer(text)]
    found += [["demo", *match[1].split()] for match in DEMO.finditer(text)]
    return [words for words in found if words and re.fullmatch(r"[a-z]+|--[a-z-]+", words[0])]


def problem(words: list[str]) -> str:
    """What is wrong with a command line; empty when nothing is."""
    command: object = typer.main.get_command(app)
    known: set[str] = set()
    for word in words:
        known |= {option for each in command.params for option in each.opts}  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is not None and not word.startswith("-"):
            if word not in inner:
                return f"there is no command {word}"
            command = inner[word]
        elif word.startswith("-") and word.partition("=")[0] not in known:
            return f"there is no option {word}"
    return ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_commands_in_documents_exist(document: Path) -> None:
    """Every command that a document names is one, with every option that it is given."""
    wrong = [
        f"patrol {' '.join(words)}: {why}"
        for words in commands_in(document.read_text("utf-8"))
        if (why := problem(words))
    ]
    assert wrong == []


def test_the_readme_names_the_commands() -> None:
    """Whoever reads the README learns of each."""
    named = {words[0] for words in commands_in((ROOT / "README.md").read_text("utf-8"))}
    assert {"demo", "run", "check", "simulate", "replay"} <= named


def test_what_is_wrong_is_found() -> None:
    """The test itself tells a good command from a bad one."""
    text = "    patrol check --config x\n`patrol fly` and `.venv/bin/patrol demo --fast 3`\n"
    assert [problem(words) for words in commands_in(text)] == [
        "",
        "there is no command fly",
        "there is no option --fast",
    ]
