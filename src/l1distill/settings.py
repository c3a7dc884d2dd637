"""The base of every typed settings record."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen record of what the user chose; unknown keys, NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
