"""The bases of every typed record that comes from outside the program."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from l1distill.core.errors import ConfigError, first_line
from l1distill.core.workspace import write_json

if TYPE_CHECKING:
    from typing import Self


class Settings(BaseModel):
    """A frozen record of what the user chose; unknown keys, NaN and infinity are refused.

    Digits are taken for the number that they are: what comes from the environment, as with
    ``seed=${oc.env:SLURM_ARRAY_TASK_ID}``, is always a string.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Constants(Settings):
    """Numbers that were measured once and stand in a JSON file beside what they belong to."""

    @classmethod
    def read(cls, path: Path | str) -> "Self":
        """Reads them.

        Raises:
            ConfigError: the file is missing or holds something else.
        """
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path}: cannot be used ({first_line(error)}); run the stage that writes it again"
            ) from error

    def write(self, path: Path) -> None:
        """Writes them, all or nothing."""
        write_json(path, self.model_dump())
