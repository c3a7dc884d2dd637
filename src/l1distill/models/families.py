"""The families of students: the settings of each, and what builds it.

A new family is a settings class below :class:`.students.StudentBase` with ``family`` a literal of
its own, and a row here. The configuration's section ``student`` then has the keys of the family
that ``student.family`` names, and no others.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l1distill.core.errors import ConfigError
from l1distill.core.settings import entry_of
from l1distill.models.cnn import CnnSettings, build_cnn, check_cnn
from l1distill.models.hgq_student import HgqSettings
from l1distill.models.mlp import StudentSettings, build_student
from l1distill.models.student_network import NetworkSettings
from l1distill.models.students import StudentBase
from l1distill.models.trees import TreesSettings

if TYPE_CHECKING:
    from tensorflow import keras


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of student.

    Attributes:
        settings: what is chosen of it.
        build: builds the untrained network from settings, the shape of an item's features,
            how many outputs, and the exponents of the inputs; None where it is no network of
            QKeras.
        check: refuses a shape of items that it cannot take, given its settings; None where it takes
            any.
    """

    settings: type[StudentBase]
    build: "Callable[[Any, Sequence[int], int, Sequence[int]], keras.Model] | None" = None
    check: Callable[[Any, Sequence[int]], None] | None = None


def _build_mlp(
    settings: StudentSettings, shape: Sequence[int], outputs: int, exponents: Sequence[int]
) -> "keras.Model":
    return build_student(settings, math.prod(shape), outputs, exponents)


DEFAULT = "mlp"
"""The family of a configuration that names none."""
FAMILIES: Mapping[str, Family] = {
    "mlp": Family(settings=StudentSettings, build=_build_mlp),
    "cnn": Family(settings=CnnSettings, build=build_cnn, check=check_cnn),
    "trees": Family(settings=TreesSettings),
    "hgq": Family(settings=HgqSettings),
}


def family_of(section: Any) -> Family:
    """Return the family that a section ``student`` of the configuration names.

    Raises:
        ConfigError: there is none of that name.
    """
    return entry_of(FAMILIES, section, "student.family", DEFAULT)


def build_network(
    settings: NetworkSettings,
    shape: Sequence[int],
    outputs: int,
    input_exponents: Sequence[int] = (),
) -> "keras.Model":
    """Build an untrained student that is a network.

    Args:
        settings: of its family.
        shape: of an item's features; the network reads them flattened.
        outputs: numbers that it answers.
        input_exponents: see :func:`.students.quantized_inputs`.

    Raises:
        ConfigError: the family takes items of another shape, or it is no network.
    """
    build = FAMILIES[settings.family].build
    if build is None:
        raise ConfigError(f"student.family={settings.family}: is no network")
    return build(settings, shape, outputs, input_exponents)
