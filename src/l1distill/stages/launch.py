"""Run a stage, or a sweep of it, with Hydra: flags, overrides, jobs and their exit status."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from l1distill.core.credentials import hide_credentials
from l1distill.core.errors import ConfigError, first_line
from l1distill.core.logging import quiet_libraries
from l1distill.stages.job_names import SWEEP, named, sweep_folder

if TYPE_CHECKING:
    from omegaconf import DictConfig


class Report(Protocol):
    """Print an error and return the exit status that it stands for."""

    def __call__(self, error: Exception, job: str = "") -> int:
        """Print an error; ``job`` says which job of a sweep failed."""


def launch(stage: str, summary: str, words: Sequence[str], report: Report) -> int:
    """Run a stage as the command line asks for it: once, as a sweep, or only its help.

    Args:
        stage: name of the stage.
        summary: one line about it, for its help.
        words: flags of Hydra's and overrides.
        report: prints the errors of jobs.

    Returns:
        The exit status: 0 if the stage did its work, else the highest of its jobs.

    Raises:
        ConfigError: a flag, key or choice is unknown, or the configuration cannot be composed.
    """
    flags, overrides = _split_flags(stage, in_full(stage, words))
    from l1distill.stages import refusals

    try:
        if {"-h", "--help"}.intersection(flags):
            from l1distill.stages.help_page import print_help

            print_help(stage, summary, overrides)
            return 0
        if stage == "pipeline" and not {*flags} - {"-m", "--multirun"}:
            from l1distill.stages.pipeline_sweep import run_pipeline

            quiet_libraries()
            return run_pipeline(overrides, multirun=bool(flags))
        os.environ[SWEEP] = sweep_folder(overrides)
        return _run_hydra(stage, [*overrides, *flags], report)
    except refusals.COMPOSITION_ERRORS as error:
        is_sweep = {"-m", "--multirun"}.intersection(flags)
        explain = refusals.explain_sweep if is_sweep else refusals.explain
        raise ConfigError(explain(error, stage, [*_search_path(flags), *overrides])) from error


def _search_path(flags: Sequence[str]) -> list[str]:
    """Return ``--config-dir DIR`` as the override that says the same."""
    for at, flag in enumerate(flags):
        name, equals, value = flag.partition("=")
        if name in {"-cd", "--config-dir"}:
            folder = value if equals else flags[at + 1]
            return [f"hydra.searchpath=['file://{Path(folder).absolute()}']"]
    return []


def in_full(stage: str, words: Sequence[str]) -> list[str]:
    """Write out what has a short form: ``promote --dry-run`` and ``lineage models:/...``."""
    if stage == "promote":
        return ["dry_run=true" if word == "--dry-run" else word for word in words]
    if stage == "lineage":
        return [f"model={word}" if word.startswith("models:/") else word for word in words]
    return list(words)


def _run_hydra(stage: str, arguments: Sequence[str], report: Report) -> int:
    import hydra

    from l1distill.stages.composition import (
        HYDRA_VERSION_BASE,
        quote_types,
        register_own_conf,
        shipped_conf,
    )

    quiet_libraries()
    register_own_conf()
    # Hydra would print its own account of an exception and leave with status 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    words = [*map(quote_types, arguments)]
    jobs = _Jobs(stage, words, report)
    run = hydra.main(
        config_path=str(shipped_conf()), config_name=stage, version_base=HYDRA_VERSION_BASE
    )
    own_argv, sys.argv = sys.argv, [f"l1distill {stage}", *words]
    try:
        run(jobs.run)()
    except ValueError as error:  # flags that do not go together, an index into a list
        if jobs.statuses:
            raise
        raise ConfigError(first_line(error)) from error
    finally:
        sys.argv = own_argv
    return jobs.end()


class _Jobs:
    """The jobs of one command: each is reported by itself, and the others run."""

    def __init__(self, stage: str, words: Sequence[str], report: Report) -> None:
        self.statuses: list[int] = []
        self._stage, self._words = stage, words
        self._report = report
        self._sweep = False

    def run(self, config: "DictConfig") -> int:
        """Run the stage with a composed configuration; returns the exit status of the job."""
        quiet_libraries()  # a launcher may have started this process
        try:
            self._run(config)
        except Exception as error:
            self.statuses.append(self._report(error, self._name()))
        else:
            self.statuses.append(0)
        return self.statuses[-1]

    def _run(self, config: "DictConfig") -> None:
        from hydra.core.hydra_config import HydraConfig

        from l1distill.stages import configuration, refusals
        from l1distill.stages.composition import to_plain
        from l1distill.stages.other_tasks import check_choices

        of_hydra = HydraConfig.get()
        self._sweep = of_hydra.mode is not None and of_hydra.mode.name == "MULTIRUN"
        try:
            composed = to_plain(config)
        except refusals.COMPOSITION_ERRORS as error:
            raise ConfigError(refusals.explain(error, self._stage, ())) from error
        if self._sweep:
            if "output" not in composed:
                raise ConfigError(f"{self._stage}: is no stage; it cannot be swept")
            composed["output"] = configuration.sweep_output(of_hydra, composed["output"])
        experiment = of_hydra.runtime.choices.get("experiment")
        tags = {"experiment": str(experiment)} if experiment else {}
        # without those of the store, which do not change what comes out
        words = [word for word in of_hydra.overrides.task if not word.startswith("tracking.")]
        if words:
            tags["overrides"] = hide_credentials(" ".join(words))
        if any(word.startswith("+") for word in words):
            settings = configuration.settings_class(self._stage, composed)
            refusals.check_added(settings, self._stage, words)
        check_choices(self._stage, composed, of_hydra.runtime.choices)
        if self._sweep and configuration.is_kept(self._stage, composed):
            said = named(self._name(), f"done before, taken from {composed['output']}")
            print(f"{self._stage}: {said}", file=sys.stderr)
            return
        configuration.run(self._stage, composed, tags)

    def _name(self) -> str:
        """Return which job of a sweep this is, with the overrides that the command has not."""
        from hydra.core.hydra_config import HydraConfig

        if not self._sweep:
            return ""
        of_hydra = HydraConfig.get()
        own = [word for word in of_hydra.overrides.task if word not in self._words]
        return f"job {of_hydra.job.num} ({' '.join(own or of_hydra.overrides.task)})"

    def end(self) -> int:
        """Return the highest exit status, and say how many jobs of a sweep failed."""
        failed = sum(status != 0 for status in self.statuses)
        if self._sweep and failed:
            print(f"l1distill: {failed} of {len(self.statuses)} jobs failed", file=sys.stderr)
        return max(self.statuses, default=0)


class _FlagParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see {self.prog} --help")


def _split_flags(stage: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into Hydra's flags, with their values, and overrides.

    Raises:
        ConfigError: a flag is unknown or lacks its value.
    """
    parser = _FlagParser(prog=f"l1distill {stage}", add_help=False, allow_abbrev=False)
    for flag in _FLAGS:
        parser.add_argument(*flag, action="store_true")
    for flag in _FLAGS_WITH_VALUE:
        parser.add_argument(*flag)
    parser.add_argument("-c", "--cfg", choices=["job", "hydra", "all"])
    parser.add_argument("-i", "--info", nargs="?")
    parser.add_argument("overrides", nargs="*")
    parsed, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        raise ConfigError(f"{unknown[0]}: no such flag; see l1distill {stage} --help")
    flags = list(words)
    for override in parsed.overrides:
        flags.remove(override)
    return flags, parsed.overrides


_FLAGS = (
    ("-h", "--help"),
    ("-m", "--multirun"),
    ("-r", "--run"),
    ("--resolve",),
    ("--hydra-help",),
    ("--version",),
)
_FLAGS_WITH_VALUE = (
    ("-p", "--package"),
    ("-cd", "--config-dir"),
    ("-cp", "--config-path"),
    ("-cn", "--config-name"),
    ("--experimental-rerun",),
)
"""The flags of ``hydra.main``."""
