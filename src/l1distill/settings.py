"""The base of every typed settings record."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen record of what the user chose; unknown keys are refused, types are not guessed.

    Lax mode is kept for numbers (``1`` is a fine float) but a string is never read as one: YAML
    and Hydra have already given every value its type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
