"""The folders that stages read: the key of each, and how it is made."""

from collections.abc import Mapping
from pathlib import Path

from l1distill.core.errors import DataError

KEYS: Mapping[str, str] = {
    "generate": "data.folder",
    "teacher": "teacher_folder",
    "student": "student_folder",
    "synthesize": "firmware_folder",
    "promote": "promotion_folder",
}
"""The key that names the output of each stage where another stage reads it."""


def check_folders(inputs: Mapping[str, Path], keys: Mapping[str, str] = KEYS) -> None:
    """Refuse a folder that is not there.

    Args:
        inputs: the folders that are read, by the name of the stage that wrote them.
        keys: of the configuration that name them.

    Raises:
        DataError: one is not there; the line names its key and the command that makes it.
    """
    for stage, folder in inputs.items():
        if not folder.is_dir():
            raise DataError(
                f"{keys.get(stage, stage)}={folder}: no such folder; make it with l1distill "
                f"{stage} output={folder}, or name another"
            )
