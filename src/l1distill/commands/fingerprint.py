"""``l1distill fingerprint``: write what each stage of the pipeline depends on beside its inputs.

DVC runs this before anything else, and a stage again if its file has changed. A file holds what
decides the stage's output beside the folders that it reads: its composed settings, the hashes of
the source files that it imports, and the versions of the other packages that these import.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from l1distill.core.errors import ConfigError
from l1distill.core.workspace import write_json
from l1distill.stages.fingerprint import FOLDER, fingerprint, stages_with_fingerprint

_DESCRIPTION = f"""\
Writes {FOLDER}/<stage>.json for each stage of dvc.yaml: its composed settings, the SHA-256 of
every source file that it imports and the versions of the packages that these import. DVC runs a
stage again if its file has changed; `dvc repro` starts with this command. Prints what has changed.
Overrides, such as task=jets, are those of all stages.
"""

SHOWN = 5
"""How many changes are named."""


def run(arguments: Sequence[str]) -> None:
    """Write the fingerprints of the stages that ``dvc.yaml`` names, where they have changed.

    Args:
        arguments: those behind the command's name: overrides that all stages have.

    Raises:
        ConfigError: an argument is wrong, or a stage's configuration or sources cannot be read.
        SystemExit: help was asked for.
    """
    given, unknown = _parser().parse_known_args(arguments)
    for word in (*unknown, *given.overrides):
        if "=" not in word or word.startswith("-"):
            raise ConfigError(
                f"{word}: l1distill fingerprint takes overrides alone, such as task=jets"
            )
    stages = stages_with_fingerprint(Path("dvc.yaml"))
    contents = {stage: fingerprint(stage, given.overrides) for stage in stages}
    FOLDER.mkdir(exist_ok=True)
    for stage, content in contents.items():
        path = FOLDER / f"{stage}.json"
        before = _read(path)
        if content != before:
            write_json(path, content)
            print(f"{stage}: {_changed(before, content) if before else 'new'}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="l1distill fingerprint",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="overrides of all stages, as task=jets"
    )
    return parser


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name the settings, source files and packages that differ, the first few of them."""
    names = [name for part in now for name in _differences(before.get(part), now[part])]
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def _differences(before: Any, now: Any, prefix: str = "") -> Iterator[str]:
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        yield prefix or "all"
        return
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            name = f"{prefix}.{key}" if prefix else key
            yield from _differences(before.get(key), now.get(key), name)
