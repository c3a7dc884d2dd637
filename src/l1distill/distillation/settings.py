"""What a user chooses about distillation; mirrors ``conf/distillation/``."""

from typing import Literal

from l1distill.core.settings import Settings


class DistillationSettings(Settings):
    """Which knowledge is handed over, by which scheme, with which loss."""

    knowledge: Literal["response"] = "response"
    """``response``: the student learns the teacher's outputs."""
    scheme: Literal["offline"] = "offline"
    """``offline``: the teacher is trained before and stays as it is."""
    loss: Literal["mse", "huber", "mae"] = "mse"
    """Distance of the student's output from its target."""
