"""The fast estimate of what a network costs in firmware."""

from l1distill.firmware.cost.estimate import (
    Constants,
    Cost,
    Features,
    count_features,
    estimate,
    weigh,
)

__all__ = ["Constants", "Cost", "Features", "count_features", "estimate", "weigh"]
