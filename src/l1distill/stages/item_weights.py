"""How much each item counts in a student's loss, by its transverse momentum."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.core.errors import ConfigError
from l1distill.distillation.settings import DistillationSettings
from l1distill.tasks.base import MomentumTask, Task


def check_item_weights(settings: DistillationSettings, task: Task) -> None:
    """Refuse weights by pT where items have none.

    Raises:
        ConfigError: the line names the key.
    """
    if settings.pt_cap_gev is not None and not isinstance(task, MomentumTask):
        raise ConfigError(
            f"distillation.pt_cap_gev={settings.pt_cap_gev:g}: the items of task={task.name} have "
            "no pT by which they could count; set distillation.pt_cap_gev=null, or give the task "
            "the method item_pt (l1distill.tasks.base.MomentumTask)"
        )


def check_alike(settings: DistillationSettings) -> None:
    """Refuse weights by pT where a teacher is trained, to which all items count alike.

    Raises:
        ConfigError: the line names the key.
    """
    if settings.pt_cap_gev is not None:
        raise ConfigError(
            f"distillation.pt_cap_gev={settings.pt_cap_gev:g}: "
            f"distillation.scheme={settings.scheme} trains a teacher, to which all items count "
            "alike; set distillation.pt_cap_gev=null, or take distillation.scheme=offline"
        )


def item_weights(
    settings: DistillationSettings, task: Task, items: NDArray[Any]
) -> NDArray[np.float32] | None:
    """Return what the loss of each item is multiplied by, (n,); None where all count alike.

    Args:
        settings: accepted by :func:`check_item_weights`.
        task: says what pT items have.
        items: (n, ...) raw items.
    """
    if settings.pt_cap_gev is None:
        return None
    assert isinstance(task, MomentumTask), task.name
    return np.minimum(task.item_pt(items), np.float32(settings.pt_cap_gev))
