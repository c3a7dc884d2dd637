"""Settings of the reader of tables of jets."""

import difflib
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from l1distill.core.settings import Settings


def _as_list(values: object) -> object:
    return [values] if isinstance(values, str | int) else values


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
"""One name, or a list of them."""
Classes = Annotated[tuple[int | str, ...], BeforeValidator(_as_list)]
"""One class, or a list of them."""

# The high-level features of Duarte et al., arXiv:1804.06913, table 1, as the files name them.
_PUBLIC = (
    "j_zlogz",
    *(f"j_c{n}_b{beta}_mmdt" for n, beta in ((1, 0), (1, 1), (1, 2), (2, 1), (2, 2))),
    *("j_d2_b1_mmdt", "j_d2_b2_mmdt", "j_d2_a1_b1_mmdt", "j_d2_a1_b2_mmdt"),
    *("j_m2_b1_mmdt", "j_m2_b2_mmdt", "j_n2_b1_mmdt", "j_n2_b2_mmdt"),
    *("j_mass_mmdt", "j_multiplicity"),
)


class ConstituentTable(Settings):
    """Where the constituents of jets stand in HDF5 files, the hardest first."""

    table: str = "jetConstituentList"
    """Data set of constituents, (jets, constituents, numbers)."""
    names: str = "particleFeatureNames"
    """Data set with the names of their numbers; it may have more at its end."""
    numbers: Names = Field(default=("j1_ptrel", "j1_etarel", "j1_phirel"), min_length=1)
    """Numbers of a constituent that are read."""
    count: int = Field(default=16, ge=1, le=256)
    """Constituents of a jet that are read, from the first on."""


class JetTables(Settings):
    """Files of jets: HDF5 or parquet, a row a jet.

    The defaults fit the public data set of jets with up to 150 particles
    (doi:10.5281/zenodo.3602260).
    """

    paths: Names = ()
    """Files: a path or glob, or a list of them."""
    table: str | None = "jets"
    """HDF5: the data set of features, (jets, features), or one with named fields; null where each
    column is a data set of its own."""
    names: str = "jetFeatureNames"
    """HDF5: the data set with the names of the features."""
    features: Names = Field(default=_PUBLIC, min_length=1)
    """Columns that are features."""
    label: Names = Field(default=("j_g", "j_q", "j_w", "j_z", "j_t"), min_length=1)
    """The column with the class of a jet, a number or a word; or a column for each class, which is
    1 in its jets: the classes then have the names of the columns."""
    signal: Classes = Field(default=("j_t",), min_length=1)
    """Classes that are signal."""
    background: Classes = Field(default=("j_g", "j_q"), min_length=1)
    """Classes that are background; jets of all others are left out."""
    constituents: ConstituentTable | None = None
    """HDF5: the constituents of jets; null to read none."""
    incomplete: Literal["refuse", "drop"] = "refuse"
    """What becomes of a jet with a number that is NaN or infinite."""
    limit: int | None = Field(default=None, ge=1)
    """Largest number of jets read, from the first file on; null for all."""

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> "JetTables":
        signal, background = (set(map(str, one)) for one in (self.signal, self.background))
        if both := signal & background:
            raise ValueError(f"signal and background: both have the class {sorted(both)[0]}")
        if len(self.label) > 1:
            for name, classes in (("signal", signal), ("background", background)):
                for unknown in sorted(classes - set(self.label)):
                    near = difflib.get_close_matches(unknown, self.label, n=1)
                    hint = f"; did you mean {near[0]}?" if near else ""
                    raise ValueError(
                        f"{name}: there is no class {unknown!r}; data.files.label names "
                        f"{', '.join(self.label)}{hint}"
                    )
        return self
