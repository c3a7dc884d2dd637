"""The door: a composed configuration becomes typed settings here, and nowhere past it.

Unknown keys and wrong types are refused with one line before anything is opened or written.
"""

import difflib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from l1distill.errors import InputError


def run(stage_name: str, composed: Mapping[str, Any]) -> None:
    """Runs the stage of this name with a composed configuration.

    Args:
        stage_name: a stage; its module in this package holds it as ``STAGE``.
        composed: the resolved configuration, nested.

    Raises:
        InputError: the configuration or an input cannot be used.
    """
    from l1distill.stages.stage import execute

    stage = importlib.import_module(f"l1distill.stages.{stage_name}").STAGE
    settings = parse(stage.settings, composed)
    execute(stage, settings, flatten(composed))


def parse(settings: type[BaseModel], composed: Mapping[str, Any]) -> Any:
    """Builds typed settings.

    Raises:
        InputError: a key is unknown or missing or a value is of the wrong type; the line names
            each key, and the nearest real one where there is one.
    """
    try:
        return settings.model_validate(dict(composed))
    except ValidationError as error:
        problems = [_problem(settings, detail) for detail in error.errors()]
        raise InputError("; ".join(problems)) from None


def _problem(settings: type[BaseModel], detail: Any) -> str:
    path = [str(part) for part in detail["loc"]]
    key = ".".join(path)
    if detail["type"] == "extra_forbidden":
        known = list(_fields(settings, path[:-1]))
        near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
        hint = f"; did you mean {'.'.join([*path[:-1], near[0]])}?" if near else ""
        return f"{key}: no such key{hint}"
    if detail["type"] == "missing":
        return f"{key}: missing; give it a value"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error":  # one of ours, about several keys at once
        return f"{key}: {message}" if key else str(message)
    return f"{key}={detail['input']!r:.80}: {message[0].lower()}{message[1:]}"


def _fields(settings: type[BaseModel], path: list[str]) -> Mapping[str, Any]:
    """The fields of the model that ``path`` leads to; none where it leads through a union."""
    for part in path:
        field = settings.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type):
            return {}
        if not issubclass(field.annotation, BaseModel):
            return {}
        settings = field.annotation
    return settings.model_fields


def flatten(composed: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns a nested configuration as ``{"a.b": value}``; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in composed.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def sweep_output(hydra_config: Any, output: str) -> str:
    """Gives each job of a sweep an output folder of its own, in the job's Hydra folder."""
    return str(Path(hydra_config.runtime.output_dir) / Path(output).name)
