"""Base classes of settings and of constants read from JSON files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict

from l1distill.core.errors import ConfigError, DataError, first_line
from l1distill.core.workspace import write_json

if TYPE_CHECKING:
    from typing import Self

Entry = TypeVar("Entry")


class Settings(BaseModel):
    """A frozen section of the configuration; unknown keys, NaN and infinity are refused.

    The docstring under a field is its description in ``l1distill <stage> --help`` and in the
    reference: a phrase with the meaning, and the unit in square brackets ("Threshold of the leading
    electron [GeV]."). Every field has the default that the YAML files of ``conf/`` give it.

    Strings of digits are taken as numbers: values from the environment, as in
    ``seed=${oc.env:SLURM_ARRAY_TASK_ID}``, are always strings.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class Constants(Settings):
    """Constants that were measured once and are kept in a JSON file beside what they belong to."""

    @classmethod
    def read(cls, path: Path | str) -> "Self":
        """Read the constants from their file.

        Raises:
            DataError: the file is missing or holds something else.
        """
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path}: cannot be used ({first_line(error)}); run the stage that writes it again"
            ) from error

    def write(self, path: Path) -> None:
        """Write the constants to their file, all or nothing."""
        write_json(path, self.model_dump())


def entry_of(table: Mapping[str, Entry], section: Any, key: str, default: str) -> Entry:
    """Return the entry of a table that a section of the configuration names.

    Args:
        table: entries by their names.
        section: of the configuration, as it was composed.
        key: that holds the name, with its section, such as ``student.family``.
        default: the name where the section has none.

    Raises:
        ConfigError: there is none of that name.
    """
    field = key.rpartition(".")[2]
    name = section.get(field, default) if isinstance(section, Mapping) else default
    if not isinstance(name, str) or name not in table:
        known = ", ".join(table)
        raise ConfigError(f"{key}={name!r}: there is no such {field}; choose one of {known}")
    return table[name]
