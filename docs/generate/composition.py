"""Compose the configuration of a stage as the command line does, without running it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"


@dataclass(frozen=True)
class Job:
    """One job of a command: its overrides and its composed, resolved configuration."""

    overrides: tuple[str, ...]
    configuration: dict[str, Any]
    choices: dict[str, Any]
    swept: dict[str, Any] | None
    """What an experiment sweeps over, by key; None where it is a single job."""


def compose(stage: str, overrides: Sequence[str] = ()) -> Job:
    """Compose a single job; composed once, kept for the process."""
    return _compose(stage, tuple(overrides))


@cache
def _compose(stage: str, overrides: tuple[str, ...]) -> Job:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = hydra_compose(stage, list(overrides), return_hydra_config=True)
        swept = None
        if composed.hydra.mode == RunMode.MULTIRUN:
            params = composed.hydra.sweeper.get("params")
            swept = {} if params is None else OmegaConf.to_container(params)
        choices = OmegaConf.to_container(composed.hydra.runtime.choices)
        keys = [str(key) for key in composed if key != "hydra"]
        masked = OmegaConf.masked_copy(composed, keys)
        configuration = OmegaConf.to_container(masked, resolve=True, throw_on_missing=True)
    assert isinstance(configuration, dict)
    assert isinstance(choices, dict)
    return Job(
        overrides,
        {str(key): value for key, value in configuration.items()},
        {str(key): value for key, value in choices.items()},
        swept,
    )


def jobs(stage: str, arguments: Sequence[str]) -> Iterator[Job]:
    """Compose the jobs of a command line.

    Args:
        stage: the stage.
        arguments: what stands behind its name, ``-m`` among it where it sweeps.

    Yields:
        The one job; of a sweep, as many jobs as it takes for each value to occur.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from l1distill.stages.composition import quote_types

    words = [quote_types(word) for word in arguments if word not in {"-m", "--multirun"}]
    parser = OverridesParser.create()
    parsed = parser.parse_overrides(words)
    single = compose(stage, [str(o.input_line) for o in parsed if not o.is_sweep_override()])
    if single.swept is None and len(words) == len(arguments):
        yield single if len(single.overrides) == len(words) else compose(stage, words)
        return
    params = single.swept or {}
    given = {override.get_key_element() for override in parsed}
    own = [f"{key}={value}" for key, value in params.items() if key not in given]
    choices = []
    for override in [*parser.parse_overrides(own), *parsed]:
        if override.is_sweep_override():
            values = override.sweep_string_iterator()
            choices.append([f"{override.get_key_element()}={value}" for value in values])
        else:
            choices.append([override.input_line])
    for number in range(max(map(len, choices), default=1)):
        yield compose(stage, [values[number % len(values)] for values in choices])


def groups() -> dict[str, list[Path]]:
    """Return the files of each group of ``conf/``, by the group's name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(CONF.rglob("*/*.yaml")):
        found.setdefault(path.parent.relative_to(CONF).as_posix(), []).append(path)
    return found


def settings_of(stage: str, configuration: Mapping[str, Any]) -> type["BaseModel"]:
    """Return the type of a stage's or command's settings for the task of a configuration."""
    from l1distill.stages.configuration import settings_class

    return settings_class(stage, configuration)
