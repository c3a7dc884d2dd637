"""Compose a stage's configuration from the shipped ``conf/`` and a ``conf/`` of the user's.

The folder ``conf/`` of the working directory adds to the shipped one: new choices of a group, new
groups, new experiments. A file of the same name takes precedence over the shipped one.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf, open_dict

import l1distill
from l1distill.core.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

HYDRA_VERSION_BASE = "1.3"
CHOSEN_BY_OTHERS = ("profile@data", "recipe@")
"""Beginnings of groups that follow from other choices, as ``jets/quick`` from task and profile; no
choices of the user's."""


def shipped_conf() -> Path:
    """Return the folder of the shipped configuration.

    It is in the package where that was installed from a wheel, else in the repository.

    Raises:
        ConfigError: there is none.
    """
    package = Path(l1distill.__file__).resolve().parent
    for folder in (package / "conf", package.parents[1] / "conf"):
        if (folder / "base.yaml").is_file():
            return folder
    raise ConfigError(f"{package}: installed without its configuration; install l1distill again")


def conf_folders() -> list[Path]:
    """Return the folders of configuration files, the one that takes precedence first."""
    shipped, own = shipped_conf(), Path.cwd() / "conf"
    return [own, shipped] if own.is_dir() and not own.samefile(shipped) else [shipped]


class OwnConfPlugin(SearchPathPlugin):
    """Put the ``conf/`` of the working directory before the shipped one in Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add the folder, unless Hydra was started for another program."""
        *own, shipped = map(str, conf_folders())
        if any(part.provider == "main" and part.path == shipped for part in search_path.get_path()):
            for folder in own:
                search_path.prepend("own", f"file://{folder}", SearchPathQuery(provider="main"))


def register_own_conf() -> None:
    """Let Hydra search the ``conf/`` of the working directory, from now on in this process."""
    Plugins.instance().register(OwnConfPlugin)


@contextmanager
def hydra_initialized() -> Iterator["ConfigLoader"]:
    """Initialize Hydra for this project, and yield what loads configurations."""
    register_own_conf()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(shipped_conf()), version_base=HYDRA_VERSION_BASE):
        yield GlobalHydra.instance().config_loader()


def quote_types(word: str) -> str:
    """Quote fixed-point types in an override: Hydra would not read ``fixed<16,6>`` as one value."""
    return _TYPE.sub(r'"\g<0>"', word)


_TYPE = re.compile(r"""(?<!["'\w])(?:ap_)?u?fixed<[^<>]*>""")


@dataclass(frozen=True, kw_only=True)
class Composition:
    """The composed configuration of a stage.

    Attributes:
        config: without Hydra's own section.
        choices: the groups that the stage composes, each with what is chosen of it.
    """

    config: "DictConfig"
    choices: Mapping[str, str | None]


def compose_stage(stage: str, overrides: Sequence[str] = ()) -> Composition:
    """Compose the configuration of a stage, as its command does, without running it.

    Args:
        stage: name of the stage.
        overrides: Hydra's overrides.

    Raises:
        HydraException: it cannot be composed.
    """
    with hydra_initialized():
        words = [quote_types(word) for word in overrides]
        config = compose(stage, words, return_hydra_config=True)
    with open_dict(config):
        choices = config.pop("hydra").runtime.choices.items()
    ours = {
        str(key): name
        for key, name in choices
        if not str(key).startswith(("hydra/", *CHOSEN_BY_OTHERS))
    }
    return Composition(config=config, choices=ours)


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What a configuration says about sweeps.

    Attributes:
        is_multirun: whether it asks for one, as an experiment may.
        params: the values that it sweeps over, by key, as on the command line.
    """

    is_multirun: bool
    params: Mapping[str, str]


def hydra_of(stage: str, overrides: Sequence[str] = ()) -> SweepOptions:
    """Compose a stage, and return what Hydra's own section says about sweeps.

    Args:
        stage: name of the stage.
        overrides: Hydra's overrides, none of which is a sweep.

    Raises:
        HydraException: it cannot be composed.
    """
    with hydra_initialized():
        words = [quote_types(word) for word in overrides]
        chosen = compose(stage, words, return_hydra_config=True).hydra
    params = chosen.sweeper.get("params") or {}
    return SweepOptions(
        is_multirun=chosen.mode is not None and chosen.mode.name == "MULTIRUN",
        params={str(key): str(value) for key, value in params.items()},
    )


def to_plain(composed: "DictConfig", *, resolve: bool = True) -> dict[str, Any]:
    """Return a composed configuration as a nested dictionary.

    Raises:
        OmegaConfBaseException: an interpolation cannot be resolved, or a value is missing.
    """
    plain = OmegaConf.to_container(composed, resolve=resolve, throw_on_missing=resolve)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
