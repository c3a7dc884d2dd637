"""Check commands without running them: each program that the pages name has a check here."""

import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf

from docs.generate import composition
from l1distill.cli import COMMANDS, REGISTRY, STAGES
from l1distill.firmware.files import BUNDLE, MANIFEST
from l1distill.firmware.rtl.vivado import SCRIPT
from l1distill.stages.configuration import parse
from l1distill.stages.launch import in_full
from tests.settings import ROOT

FLAGS = {"-m", "--multirun", "--help", "--debug"}
"""Flags of a stage that stand alone."""
COMPLETION = ["--shell-completion", "install=bash"]
OPERATORS = {"&&", ";", "|"}


class Unchecked(AssertionError):
    """A command that nobody could check, or that is wrong."""


def commands(content: str) -> Iterator[list[str]]:
    """Yield the words of each command of a block; comments are left out."""
    joined = re.sub(r"\\\n\s*", " ", content)
    for line in joined.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in OPERATORS:
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def check(words: Sequence[str]) -> None:
    """Check one command.

    Raises:
        AssertionError: it is wrong, or its program is not known here.
    """
    program, *arguments = words
    known = PROGRAMS.get(program)
    if known is None:
        raise Unchecked(f"{program}: no check for this program; add one to {__name__}")
    known(arguments)


def _l1distill(arguments: Sequence[str]) -> None:
    name, *rest = arguments
    if name in COMMANDS:
        module = importlib.import_module(f"l1distill.commands.{name}")
        parser = getattr(module, "_parser", None)
        if parser is not None:
            parser().parse_args(rest)
        if name == "verify":
            _assert_output(rest[0])
        return
    if name in {"--help", "--version"} or list(arguments) == COMPLETION:
        return
    assert name in {*STAGES, *REGISTRY}, f"l1distill {name}: no such stage"
    compose_stage(name, rest)


def compose_stage(name: str, arguments: Sequence[str]) -> int:
    """Compose the configuration of a command and parse it into settings.

    Returns:
        The number of jobs.
    """
    words = in_full(name, arguments)
    if "--cfg" in words:
        at = words.index("--cfg")
        assert words[at + 1] in {"job", "hydra", "all"}
        del words[at : at + 2]
    flags = [word for word in words if word.startswith("-")]
    assert set(flags) <= FLAGS, f"l1distill {name}: unknown flags {set(flags) - FLAGS}"
    swept = [word for word in words if not word.startswith("-") or word in {"-m", "--multirun"}]
    number = 0
    for job in composition.jobs(name, swept):
        parse(composition.settings_of(name, job.configuration), job.configuration)
        number += 1
    return number


def _make(arguments: Sequence[str]) -> None:
    for word in arguments:
        if word == "-C":
            return  # of a bundle, whose own Makefile is run by tests/e2e/test_docs.py
        assert "=" in word or word in make_targets(), f"make {word}: no such target"


@cache
def make_targets() -> frozenset[str]:
    """Return the targets of the Makefile that a person may call."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)
    return frozenset(name for line in lines for name in line.split())


def _dvc(arguments: Sequence[str]) -> None:
    from dvc.cli.parser import get_main_parser

    get_main_parser().parse_args(list(arguments))


def _mlflow(arguments: Sequence[str]) -> None:
    from mlflow.cli import cli

    if list(arguments) == ["run"]:  # named in a sentence, not a whole command
        return
    context = cli.make_context("mlflow", list(arguments), resilient_parsing=False)
    name, command, rest = cli.resolve_command(context, list(arguments))
    parsed = command.make_context(name, rest, parent=context)
    if name != "run":
        return
    entry_points = OmegaConf.load(ROOT / "MLproject").entry_points
    entry = parsed.params["entry_point"]
    assert entry in entry_points, f"mlflow run -e {entry}: no such entry point"
    for parameter in parsed.params["param_list"]:
        key, _, value = parameter.partition("=")
        assert key in entry_points[entry].parameters, f"mlflow run -P {key}: no such parameter"
        compose_stage(entry, shlex.split(value))


def _git(arguments: Sequence[str]) -> None:
    subcommand, *rest = arguments
    assert subcommand in {"add", "commit", "clone", "checkout", "switch"}, f"git {subcommand}"
    if subcommand == "add":
        for path in rest:
            assert (ROOT / path).exists(), f"git add {path}: no such file"


def _python(arguments: Sequence[str]) -> None:
    first, *rest = arguments
    if first == "-m":
        assert importlib.util.find_spec(rest[0]), f"python -m {rest[0]}: no such module"
        for word in rest[1:]:
            if word.startswith("tests/"):
                assert (ROOT / word.split("::")[0]).exists(), f"{word}: no such test"
    else:
        assert (ROOT / first).is_file(), f"python {first}: no such file"


def _export(arguments: Sequence[str]) -> None:
    from mlflow import environment_variables
    from mlflow.cli import server

    of_mlflow = {*vars(environment_variables), *(option.envvar for option in server.params)}
    for word in arguments:
        name = word.partition("=")[0]
        used = name in of_mlflow or any(
            name in path.read_text(encoding="utf-8")
            for folder in ("src", "conf")
            for path in (ROOT / folder).rglob("*")
            if path.suffix in {".py", ".yaml"}
        )
        assert used, f"export {name}: not a variable that the project or MLflow reads"


def _uv(arguments: Sequence[str]) -> None:
    assert list(arguments[:2]) == ["pip", "install"]
    (named,) = arguments[2:]
    path, extras = re.fullmatch(r"(.+)\[(.+)\]", named).groups()  # type: ignore[union-attr]
    project = tomllib.loads((ROOT / path / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"]), named


def _removed(arguments: Sequence[str]) -> None:
    for path in arguments:
        if not path.startswith("-"):
            _assert_output(path)


def _find(arguments: Sequence[str]) -> None:
    assert arguments[0] == ".dvc/cache/files"


def _in_a_bundle(*names: str) -> Callable[[Sequence[str]], None]:
    def checked(arguments: Sequence[str]) -> None:
        files = [word for word in arguments if not word.startswith("-")]
        assert set(files) <= set(names), f"{files}: expected {names}"

    return checked


def _eval(arguments: Sequence[str]) -> None:
    """Check the program whose output a shell takes in."""
    (inner,) = arguments
    check(shlex.split(inner.removeprefix("$(").removesuffix(")")))


def _source(arguments: Sequence[str]) -> None:
    assert list(arguments) == [".venv/bin/activate"]


def _assert_output(path: str) -> None:
    assert is_output(path), f"{path}: no output of a stage"


@cache
def outputs() -> frozenset[str]:
    """Return the folders that the stages write by default, and where experiments write."""
    stages = {str(composition.compose(stage).configuration["output"]) for stage in STAGES}
    return frozenset({*stages, "outputs", "multirun", "mlruns"})


def is_output(path: str) -> bool:
    """Tell whether a path is below a folder that a stage or ``make docs`` writes."""
    return any(Path(path).is_relative_to(folder) for folder in (*outputs(), "docs/_build"))


PROGRAMS: dict[str, Callable[[Sequence[str]], None]] = {
    "l1distill": _l1distill,
    "make": _make,
    "dvc": _dvc,
    "mlflow": _mlflow,
    "git": _git,
    "python": _python,
    ".venv/bin/python": _python,
    ".venv/bin/mlflow": _mlflow,
    ".venv/bin/uv": _uv,
    "export": _export,
    "eval": _eval,
    "source": _source,
    "rm": _removed,
    "find": _find,
    "tar": _in_a_bundle(BUNDLE),
    "sha256sum": _in_a_bundle(MANIFEST),
    "vivado": _in_a_bundle("batch", f"rtl/{SCRIPT}"),
}
