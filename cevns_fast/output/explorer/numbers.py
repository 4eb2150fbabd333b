"""Numbers inside a page: few bytes, and every bit comes back."""

import base64
import gzip

import numpy as np

from cevns_fast._validate import Floats


def encoded(numbers: Floats) -> str:
    """Base64 of compressed little-endian doubles; first bytes, second bytes, … stand together, for they are alike.

    Examples
    --------
    >>> import numpy as np
    >>> decoded(encoded(np.array([0.1, -2.0]))).tolist()
    [0.1, -2.0]
    """
    planes = numbers.astype("<f8").view(np.uint8).reshape(-1, 8).T
    return base64.b64encode(gzip.compress(planes.tobytes(), compresslevel=9, mtime=0)).decode("ascii")


def decoded(text: str) -> Floats:
    """The numbers again, as the page finds them."""
    planes = np.frombuffer(gzip.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(8, -1)
    return np.frombuffer(planes.T.tobytes(), dtype="<f8").astype(np.float64)
