"""Turn a composed configuration into typed settings, and run the stage with them.

Unknown keys and wrong types are refused in one line before anything is opened or written.
"""

import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import folder_sha256
from l1distill.stages.value_errors import explain_problems
from l1distill.tasks.base import Task, load_task
from l1distill.tasks.settings import TaskSettings


def run(stage_name: str, composed: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Run the stage or command of this name with a composed configuration.

    Args:
        stage_name: its name; its module in this package holds it as ``STAGE`` or ``COMMAND``.
        composed: the resolved configuration, nested.
        tags: tags of its run.

    Raises:
        L1DistillError: the configuration or an input cannot be used, or a tool or resource failed.
    """
    from l1distill.stages.command import Command

    stage, task = _load(stage_name, composed)
    settings = parse(stage.settings_for(task, composed), composed)
    if isinstance(stage, Command):
        stage.run(settings)
        return
    from l1distill.stages.execution import execute

    execute(stage, settings, task, parameters_of(settings, composed), tags)


def is_kept(stage_name: str, composed: Mapping[str, Any]) -> bool:
    """Return whether a job of a sweep is done, made with these settings from these inputs.

    Its run then becomes one of the sweep's, as if it had been done now. Of changed code it says
    nothing.

    Args:
        stage_name: name of the stage.
        composed: the resolved configuration, nested.
    """
    stage, task = _load(stage_name, composed)
    if not getattr(stage, "kept_in_sweeps", False):
        return False
    settings = parse(stage.settings_for(task, composed), composed)
    from l1distill.stages.execution import is_current

    if not is_current(stage, settings, parameters_of(settings, composed)):
        return False
    from l1distill.tracking.jobs import adopt_by_sweep

    return adopt_by_sweep(settings.tracking, stage.name, folder_sha256(settings.output))


def settings_class(stage_name: str, composed: Mapping[str, Any]) -> type[BaseModel]:
    """Return the class of a stage's settings, for the task and the choices of a configuration.

    Raises:
        ConfigError: the task cannot be imported.
    """
    stage, task = _load(stage_name, composed)
    settings: type[BaseModel] = stage.settings_for(task, composed)
    return settings


def _load(stage_name: str, composed: Mapping[str, Any]) -> tuple[Any, Task]:
    task = load_task(parse(TaskSettings, composed.get("task") or {}, "task"))
    module = importlib.import_module(f"l1distill.stages.{stage_name}")
    return (module.STAGE if hasattr(module, "STAGE") else module.COMMAND), task


def parse(settings: type[BaseModel], composed: Mapping[str, Any], section: str = "") -> Any:
    """Build typed settings from a composed configuration.

    Args:
        settings: their class.
        composed: the nested configuration.
        section: the section of the configuration that it is; empty for the whole.

    Raises:
        ConfigError: a key is unknown or missing or a value is of the wrong type; the line names
            each key, and the nearest real one where there is one.
    """
    try:
        return settings.model_validate(dict(composed))
    except ValidationError as error:
        raise ConfigError(explain_problems(settings, error.errors(), section)) from error


def parameters_of(settings: BaseModel, composed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flat configuration, with the defaults of the keys that it leaves out.

    Args:
        settings: what was built from ``composed``.
        composed: the resolved configuration, nested; a file of the user's may leave out keys.
    """
    return {**dict(_left_out(settings)), **flatten(composed)}


def _left_out(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name in settings.model_fields_set:
            if isinstance(value, BaseModel):
                yield from _left_out(value, f"{prefix}{name}.")
        elif value is not None:
            plain = settings.model_dump(mode="json", include={name})
            yield from flatten(plain, prefix).items()


def flatten(composed: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested configuration as ``{"a.b": value}``; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in composed.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def sweep_output(hydra_config: Any, output: str) -> str:
    """Return an output folder for one job of a sweep, in the job's Hydra folder."""
    return os.path.normpath(Path(hydra_config.runtime.output_dir) / Path(output).name)
