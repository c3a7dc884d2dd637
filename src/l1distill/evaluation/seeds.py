"""What several seeds of a training say together."""

import math
from collections.abc import Collection
from statistics import stdev


def spread_over_seeds(values: Collection[float]) -> float:
    """Return the standard deviation over the seeds; NaN of fewer than two."""
    return stdev(values) if len(values) > 1 else math.nan
