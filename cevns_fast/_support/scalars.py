"""Scalars in give scalars out."""

import numpy as np
from numpy.typing import NDArray


def scalar_or_array(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The number that an array without axes is, which has an array's methods but prints as one; others as they are."""
    found: NDArray[np.float64] = values[()]
    return found
