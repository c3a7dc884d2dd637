"""Compose the configuration of a stage without running it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError, first_line

if TYPE_CHECKING:
    from omegaconf import DictConfig


WHERE_AND_HOW = ("output", "executor", "tracking")
"""Sections of the configuration that do not change what comes out: they are neither recorded nor
part of a fingerprint."""
FINGERPRINTS = Path(".fingerprints")
"""Folder of the files by which DVC knows whether a stage is out of date."""


def stages_with_fingerprint(dvc_yaml: Path) -> list[str]:
    """Read the names of the stages that depend on a fingerprint from ``dvc.yaml``.

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
    if stray := [str(name) for name in names if name.parent != FINGERPRINTS]:
        raise ConfigError(f"{dvc_yaml}: {stray[0]}: not in {FINGERPRINTS}/")
    return [name.stem for name in names]


def compose_stage(
    conf: Path, stage: str, overrides: Sequence[str] = (), without: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Compose and resolve the configuration of a stage, as its own command does.

    Args:
        conf: the folder of configuration files.
        stage: the name of the stage.
        overrides: Hydra's overrides.
        without: top-level sections that are left out; they are not resolved either.

    Returns:
        The nested configuration, without Hydra's own section. A value that a user has still to
        give is ``"???"``.

    Raises:
        ConfigError: it cannot be composed or resolved.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            composed = compose(stage, list(overrides))
        keys = [str(key) for key in composed if key not in without]
        return {key: _plain(composed, key) for key in keys}
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(f"{stage}: {first_line(error)}") from error


def _plain(composed: "DictConfig", key: str) -> Any:
    from omegaconf import OmegaConf

    if OmegaConf.is_missing(composed, key):
        return "???"
    value = composed[key]
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
