"""Public functions say what their names and types cannot: errors, shapes and units."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["importlinter"]["root_packages"]

FRAMEWORK = {"HTTPException", "Exit", "BadParameter"}
"""Errors that a framework turns into its answer: no caller of ours meets them."""

STORES = {"transaction", "reading", "atomic_write"}
"""Calls after which any store may say that it is unavailable."""

SHAPE = re.compile(r"\bshapes?\b|\((?:\w+, ?)+(?:\w+)?\)", re.IGNORECASE)
UNIT_IN_NAME = re.compile(r"(?:^|_)(?:h|s|ms|m|m2|km|deg|rad|mps|mps2|kmh|percent|share|ratio)s?$")
UNIT = re.compile(
    r"\[[^\[\],]*\b(?:ms|s|m|km|degrees)\b[^\[\],]*\]|[%°²÷]"
    r"|\b(?:seconds?|minutes?|hours?|metres?|degrees?|km|shares?|0 to 1)\b"
)


class Function(NamedTuple):
    """A public function, or method of a public class."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef
    text: str  # its docstring
    around: str  # the docstring of its class
    arrays: frozenset[str]  # names of array types in the package

    def typed(self, *kinds: str) -> Iterator[str]:
        """The arguments, and the function when it returns one, of some types or made of them.

        A mapping is left out: each of its values has its own shape or unit.
        """
        arguments = self.node.args
        asked = re.compile(rf"\b(?:{'|'.join(kinds)})\b")
        types = {
            argument.arg: argument.annotation
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        }
        types[self.node.name] = self.node.returns
        for name, kind in types.items():
            if kind and asked.search(re.sub(r"(?:dict|Mapping)\[.*\]", "", ast.unparse(kind))):
                yield name


def functions_of(package: str) -> Iterator[Function]:
    """All functions of a package that callers in other files may use."""
    sources = {path: path.read_text("utf-8") for path in (ROOT / package).rglob("*.py")}
    arrays = frozenset(re.findall(r"^(\w+) = NDArray\[", "\n".join(sources.values()), re.MULTILINE))
    for path, source in sources.items():
        yield from functions_in(source, f"{path.relative_to(ROOT)}: ", arrays)


def functions_in(
    source: str, where: str = "", arrays: frozenset[str] = frozenset()
) -> Iterator[Function]:
    """Those of a module; `__init__` has the docstring of its class."""
    within: list[tuple[str, str, list[ast.stmt]]] = [(where, "", ast.parse(source).body)]
    for prefix, around, body in within:
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                within.append((f"{prefix}{node.name}.", ast.get_docstring(node) or "", node.body))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.name == "__init__":
                    yield Function(f"{prefix}__init__", node, around, around, arrays)
                elif not node.name.startswith("_") and not is_command(node):
                    text = ast.get_docstring(node) or ""
                    yield Function(prefix + node.name, node, text, around, arrays)


def is_command(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the command line calls it, which has its help and turns its errors into messages."""
    return any(ast.unparse(decorator).endswith(".command()") for decorator in node.decorator_list)


def own_statements(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function's body without those of functions in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from own_statements(child)


def unnamed_errors(function: Function) -> list[str]:
    """Errors that its body, or a store that it calls, raises and no docstring of its names."""
    raised = set[str]()
    for node in own_statements(function.node):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            raised.add(ast.unparse(error).rsplit(".", 1)[-1])
        if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".", 1)[-1] in STORES:
            raised.add("Unavailable")
    said = function.text + function.around
    errors = {name for name in raised if name[0].isupper()} - FRAMEWORK
    return sorted(name for name in errors if name.lower() not in said.lower())


def arrays_without_shape(function: Function) -> list[str]:
    """Arrays that come and go, unless a shape is said."""
    said = SHAPE.search(function.text + function.around)
    return [] if said else list(function.typed("NDArray", *function.arrays))


def floats_without_unit(function: Function) -> list[str]:
    """Numbers whose unit neither their name nor the docstring says."""
    if UNIT.search(function.text):
        return []
    return [name for name in function.typed("float") if not UNIT_IN_NAME.search(name)]


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("missing", [unnamed_errors, arrays_without_shape, floats_without_unit])
def test_a_docstring_says_what_types_cannot(
    missing: Callable[[Function], list[str]], package: str
) -> None:
    """Callers need not read a body for an error, the shape of an array, the unit of a number."""
    found = {function.name: missing(function) for function in functions_of(package)}
    assert found
    assert {name: wants for name, wants in found.items() if wants} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def read():\n    raise Lost(1)", ["Lost"]),
        ("def read():\n    'Lost: it is gone.'\n    raise Lost(1)", []),
        ("class Log:\n    def __init__(self):\n        raise Lost", ["Lost"]),
        ("class Log:\n    'Lost: it is gone.'\n    def read(self):\n        raise Lost", []),
        ("def save(): file.transaction()", ["Unavailable"]),
        ("def save():\n    'Save, or BookUnavailable.'\n    file.transaction()", []),
        ("def mean(of: NDArray[np.int64]): 'The mean.'", ["of"]),
        ("def mean(of: NDArray[np.int64]): 'The mean; shape (n,).'", []),
        ("def state() -> dict[str, NDArray[np.int64]]: 'Columns.'", []),
        ("def wait(long: float | None): 'Sleep.'", ["long"]),
        ("def wait(long: float): 'Sleep for so long [s].'", []),
        ("def wait(long_s: float): 'Sleep.'", []),
        ("def age() -> float: 'How old it is.'", ["age"]),
    ],
)
def test_what_is_left_out_is_found(source: str, found: list[str]) -> None:
    """The rules above see what they should see, and no more."""
    (function,) = functions_in(source)
    rules = (unnamed_errors, arrays_without_shape, floats_without_unit)
    assert [name for rule in rules for name in rule(function)] == found
