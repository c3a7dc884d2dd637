"""Every package that is imported is declared in pyproject.toml, and the other way round."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.settings import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OWN = {
    "l1distill",
    "tests",
    "docs",
    "benchmarks",
    *(path.stem for path in (ROOT / "benchmarks").glob("*.py")),
}
RUNTIME = PROJECT["project"]["dependencies"]
OPTIONAL = [
    entry for extra in PROJECT["project"]["optional-dependencies"].values() for entry in extra
]
GROUPS = PROJECT["dependency-groups"]
DEVELOPMENT = [entry for entry in GROUPS["dev"] if isinstance(entry, str)] + GROUPS["docs"]


def name_of(requirement: str) -> str:
    """The normalized name of the distribution that a requirement asks for (PEP 503)."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            assert isinstance(node, ast.If)
            for other in node.orelse:
                yield from (other, *nodes(other))
        else:
            yield from (node, *nodes(node))


def imports(source: str) -> set[str]:
    """Top-level names of the packages that a file imports, wherever in it."""
    found = set()
    for node in nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                found.add(argument.value)
    names = {name.partition(".")[0] for name in found}
    return names - OWN - set(sys.stdlib_module_names)


@cache
def imported(*folders: str) -> dict[str, str]:
    """Packages imported by the files of folders, each with one file that does."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert files
    return {
        name: path.relative_to(ROOT).as_posix()
        for path in files
        for name in imports(path.read_text())
    }


@cache
def distributions() -> Mapping[str, list[str]]:
    """The distributions that bring a package, by its name."""
    return importlib.metadata.packages_distributions()


def undeclared(packages: dict[str, str], requirements: list[str]) -> dict[str, str]:
    """Packages whose distribution is not among the requirements, with a file that imports them."""
    declared = {name_of(requirement) for requirement in requirements}
    return {
        package: file
        for package, file in packages.items()
        if not declared & {name_of(name) for name in distributions().get(package, [])}
    }


def test_imports_are_found_wherever_they_stand() -> None:
    source = """
import os, numpy.linalg
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import only_for_types
else:
    import elsewhere
from . import sibling
def work():
    from scipy.special import erf
    importlib.import_module("distributed")
    import_module(name)
"""
    assert imports(source) == {"numpy", "elsewhere", "scipy", "distributed"}


def test_what_the_package_imports_is_declared() -> None:
    assert undeclared(imported("src"), RUNTIME + OPTIONAL) == {}


def test_what_tests_and_benchmarks_import_is_declared() -> None:
    assert undeclared(imported("tests", "benchmarks"), RUNTIME + DEVELOPMENT) == {}


def test_an_undeclared_import_is_noticed() -> None:
    packages = {"numpy": "a.py", "sklearn": "b.py", "no_such_package": "c.py"}
    assert undeclared(packages, ["numpy==1.26.4"]) == {
        "sklearn": "b.py",
        "no_such_package": "c.py",
    }
    assert undeclared(packages, ["numpy", "scikit_learn[alldeps]>1", "no-such-package"]) == {
        "no_such_package": "c.py"
    }


@pytest.mark.parametrize("requirement", RUNTIME + DEVELOPMENT)
def test_what_is_declared_is_imported_or_has_its_reason(requirement: str) -> None:
    """A package that no file imports stands in pyproject.toml with a comment that says why."""
    used = {
        name_of(name)
        for package in imported("src", "tests", "benchmarks")
        for name in distributions().get(package, [])
    }
    lines = Path(ROOT / "pyproject.toml").read_text().splitlines()
    (line,) = [line for line in lines if line.strip().startswith(f'"{requirement}"')]
    assert name_of(requirement) in used or "#" in line, f"{requirement}: unused; remove it"
