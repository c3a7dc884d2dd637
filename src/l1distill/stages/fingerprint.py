"""Fingerprints: what decides the output of a stage beside the folders that it reads.

A fingerprint holds the composed settings of a stage, the hashes of the source files that it and
its task import, and the versions of the other packages that these import. DVC runs a stage again
if its fingerprint has changed.
"""

import importlib.metadata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from l1distill.core.closure import closure_of
from l1distill.core.errors import ConfigError, first_line
from l1distill.core.workspace import file_sha256
from l1distill.stages.sections import WHERE_AND_HOW

FOLDER = Path(".fingerprints")
"""Where the fingerprints are, one file for each stage of the pipeline."""
RESULTS = "l1distill.stages.results"
"""Writes into the output of every stage."""
DISTRIBUTIONS = {"hydra": "hydra-core", "sklearn": "scikit-learn", "yaml": "PyYAML"}
"""Distributions that are not called as the package that they install is; others are found too,
but by reading the records of all that is installed."""


def fingerprint(stage: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Gather what decides the output of a stage beside the folders that it reads.

    Args:
        stage: the name of the stage.
        overrides: of its configuration.

    Returns:
        ``settings``, composed and resolved; ``sources``, the SHA-256 of each file of the stage's
        import closure, of its task's and of what writes its results; and ``packages``, the
        versions of the distributions that they import.

    Raises:
        ConfigError: the configuration or a source file cannot be read.
    """
    settings = _settings(stage, overrides)
    task = str(settings["task"]["module"])
    modules = [f"l1distill.stages.{stage}", RESULTS, task]
    closure = closure_of(modules, implementations=[task])
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
        yield from _versions(package)


@cache
def _versions(package: str) -> tuple[tuple[str, str | None], ...]:
    name = DISTRIBUTIONS.get(package, package)
    try:
        return ((name, importlib.metadata.version(name)),)
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(package, [])
        found = tuple((name, importlib.metadata.version(name)) for name in sorted(set(names)))
        return found or ((package, None),)


def stages_with_fingerprint(dvc_yaml: Path) -> list[str]:
    """Read the names of the stages that have a fingerprint from ``dvc.yaml``.

    Raises:
        ConfigError: the file cannot be used.
    """
    from omegaconf import OmegaConf

    try:
        pipeline: Any = OmegaConf.to_container(OmegaConf.load(dvc_yaml))
        names = [Path(next(iter(out))) for out in pipeline["stages"]["fingerprint"]["outs"]]
    except FileNotFoundError as error:
        raise ConfigError(
            f"{dvc_yaml}: no such file; run this in a checkout of the project"
        ) from error
    except Exception as error:
        raise ConfigError(
            f"{dvc_yaml}: has no stage fingerprint with outs ({first_line(error)})"
        ) from error
    if stray := [str(name) for name in names if name.parent != FOLDER]:
        raise ConfigError(f"{dvc_yaml}: {stray[0]}: not in {FOLDER}/")
    return [name.stem for name in names]


def _settings(stage: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Compose and resolve what decides the output of a stage."""
    from l1distill.stages.composition import compose_stage, to_plain

    try:
        composed = to_plain(compose_stage(stage, overrides).config)
    except Exception as error:
        from l1distill.stages.refusals import COMPOSITION_ERRORS, explain

        if not isinstance(error, COMPOSITION_ERRORS):
            raise
        raise ConfigError(f"{stage}: {explain(error, stage, overrides)}") from error
    return {key: value for key, value in composed.items() if key not in WHERE_AND_HOW}
