"""What a student's firmware takes in and answers, at promotion and later."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from l1distill.data.encoding import InputEncoding
from l1distill.firmware.emulator.emulator import Emulator


def inputs_and_scores(
    encoding: InputEncoding, emulator: Emulator, items: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return raw inputs (n, features) of items (n, ...), and the firmware's scores (n, outputs).

    Raises:
        ValueError: the items are of another shape than the encoding is for.
    """
    scores = emulator.predict(encoding.apply(items))
    return np.asarray(items, np.float32).reshape(len(items), -1), scores
