"""What a stage leaves beside its outputs, so that its run can be logged, or logged again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from l1distill.core.dvc import way_back
from l1distill.core.errors import DataError, L1DistillError
from l1distill.core.settings import Settings
from l1distill.core.workspace import file_sha256, read_json, write_json

RECORD = "record.json"
METRICS = "metrics.json"
SUMMARY = "summary.json"
"""The headline metrics alone, for ``dvc metrics show``."""
SHA256 = "sha256"
"""The entry of a record's file that is the hash of all its others."""


class ModelSpec(Settings):
    """A model that belongs into MLflow: which script answers for it, from which files."""

    name: str
    """Name of the logged model."""
    script: str
    """The module that loads and scores, with its package."""
    artifacts: dict[str, str]
    """The files it needs: a name to a path relative to the stage's folder."""
    requirements: list[str]
    """Names of the packages it needs; versions are added from what is installed."""


class Record(Settings):
    """The account of one stage: enough to log its run in an empty store.

    It holds no time, path of a machine, commit or tracking id: the same inputs and settings give
    the same record, so a stage that is run again does not make the next stages stale.
    """

    stage: str
    parameters: dict[str, Any]
    """The composed configuration, flat."""
    inputs: dict[str, str]
    """The stages this one read from: their name to the SHA-256 of their output folder."""
    dataset: str
    """Name of the data set."""
    dataset_md5: str
    files: dict[str, str]
    """The files of the output, this record apart: relative path to SHA-256."""
    artifacts: list[str]
    """Globs of the files that are logged as artifacts."""
    model: ModelSpec | None = None
    """The model that the outputs hold, if they hold one."""
    describes: str | None = None
    """The input whose model the metrics are about, if they are about a model of another stage."""
    note: str = ""
    """What came out, in words, as Markdown; most stages say it by their metrics alone."""

    def write(self, folder: Path) -> None:
        """Writes the record into ``folder``, with a hash of itself."""
        content = self.model_dump(mode="json")
        if not self.note:  # the same bytes as of those who know of no notes
            del content["note"]
        write_json(folder / RECORD, {**content, SHA256: _content_sha256(content)})

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """Reads the record of the stage that wrote ``folder``, and holds the files against it.

        Raises:
            DataError: there is no record, it is not one of ours, or a file is missing or is not
                what the stage wrote.
        """
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; run the stage that writes it first")
        record = cls._read_own(folder / RECORD)
        for name, sha256 in record.files.items():
            if not (folder / name).is_file():
                way = way_back(folder / name, f"run {record.stage} again")
                raise DataError(f"{folder / name}: missing; {way}")
            if file_sha256(folder / name) != sha256:
                raise _damaged(folder / name, record.stage)
        return record

    def section(self, *names: str) -> dict[str, Any]:
        """Return the parameters of these sections of the configuration, flat."""
        return {key: value for key, value in self.parameters.items() if key.split(".")[0] in names}

    def nested(self, name: str) -> dict[str, Any]:
        """Return the parameters of a section of the configuration, nested, without its name."""
        nested: dict[str, Any] = {}
        for key, value in self.section(name).items():
            _, *path, last = key.split(".")
            place = nested
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        return nested

    @classmethod
    def _read_own(cls, path: Path) -> "Record":
        """Reads the record's file, and holds it against the hash that it carries."""
        if not path.is_file():
            raise DataError(f"{path}: missing; {way_back(path, 'run the stage that writes it')}")
        try:
            content = read_json(path)
        except L1DistillError:
            content = {}
        if content.pop(SHA256, None) != _content_sha256(content):
            raise _damaged(path, "the stage")
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise DataError(
                f"{path}: written by another version of the stage ({error.error_count()} fields "
                "are wrong); run the stage again"
            ) from error


def _content_sha256(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path, stage: str) -> DataError:
    """Names a file that is not what its stage wrote.

    It is to be removed first because DVC may take it for good: it looks at the time of the last
    change, and it believes of a copy from its cache that it is what the cache should hold.
    """
    return DataError(
        f"{path}: not what {stage} wrote (truncated or changed); "
        f"{way_back(path, f'run {stage} again', damaged=True)}"
    )


def read_metrics(folder: Path) -> dict[str, float]:
    """Reads a stage's ``metrics.json``.

    Raises:
        DataError: it is missing, damaged, or a value is not a number.
    """
    metrics = read_json(folder / METRICS)
    for name, value in metrics.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{folder / METRICS}: {name} is not a number; run the stage again")
    return {name: float(value) for name, value in metrics.items()}
