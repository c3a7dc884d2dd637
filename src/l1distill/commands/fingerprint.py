"""``l1distill fingerprint``: write what each stage of the pipeline depends on beside its inputs.

DVC runs this before anything else, and a stage again if its file has changed. A file holds what
decides the stage's output beside the folders that it reads: its composed settings, the hashes of
the source files that it imports, and the versions of the other packages that these import.
"""

import argparse
import importlib.metadata
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from l1distill.core.closure import closure_of
from l1distill.core.errors import ConfigError
from l1distill.core.workspace import file_sha256, write_json
from l1distill.stages.compose import (
    FINGERPRINTS,
    WHERE_AND_HOW,
    compose_stage,
    stages_with_fingerprint,
)

_DESCRIPTION = f"""\
Writes {FINGERPRINTS}/<stage>.json for each stage of dvc.yaml: its composed settings, the SHA-256 of
every source file that it imports and the versions of the packages that these import. DVC runs a
stage again if its file has changed; `dvc repro` starts with this command. Prints what has changed.
"""

DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Distributions that are not called as the package that they install is; others are found too,
but by reading the records of all that is installed."""


def run(arguments: Sequence[str]) -> None:
    """Write the fingerprints of the stages that ``dvc.yaml`` names, where they have changed.

    Args:
        arguments: those behind the command's name; there are none but ``--help``.

    Raises:
        ConfigError: an argument is wrong, or a stage's configuration or sources cannot be read.
        SystemExit: help was asked for.
    """
    _, unknown = _parser().parse_known_args(arguments)
    if unknown:
        raise ConfigError(f"{unknown[0]}: l1distill fingerprint takes no arguments")
    FINGERPRINTS.mkdir(exist_ok=True)
    for stage in stages_with_fingerprint(Path("dvc.yaml")):
        content = fingerprint(stage, Path("conf"))
        path = FINGERPRINTS / f"{stage}.json"
        before = _read(path)
        if content != before:
            write_json(path, content)
            print(f"{stage}: {', '.join(_changes(before, content)) if before else 'new'}")


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="l1distill fingerprint",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def fingerprint(stage: str, conf: Path) -> dict[str, Any]:
    """Gather what decides the output of a stage beside the folders that it reads.

    Args:
        stage: the name of the stage.
        conf: the folder of configuration files.

    Returns:
        ``settings``, composed and resolved; ``sources``, the SHA-256 of each file of the stage's
        import closure and of its task's; and ``packages``, the versions of the distributions that
        they import.

    Raises:
        ConfigError: the configuration or a source file cannot be read.
    """
    settings = compose_stage(conf, stage, without=WHERE_AND_HOW)
    task = str(settings["task"]["module"])
    closure = closure_of([f"l1distill.stages.{stage}", task], implementations=[task])
    return {
        "settings": settings,
        "sources": {name: file_sha256(path) for name, path in sorted(closure.files.items())},
        "packages": dict(versions(closure.third_party)),
    }


def versions(packages: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the distributions that top-level packages come from, with their versions.

    A package that is not installed has None.
    """
    for package in sorted(packages):
        name = DISTRIBUTIONS.get(package, package)
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = importlib.metadata.packages_distributions().get(package, [])
            yield from ((name, importlib.metadata.version(name)) for name in sorted(set(found)))
            if not found:
                yield package, None


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _changes(before: Any, now: Any, prefix: str = "") -> Iterator[str]:
    """Yield the keys whose values differ."""
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        yield prefix
        return
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield from _changes(before.get(key), now.get(key), f"{prefix} {key}".strip())
