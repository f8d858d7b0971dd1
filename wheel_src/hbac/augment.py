"""Changes of an image that leave its meaning: for training and for test-time averaging."""

import numpy as np
import numpy.typing as npt

from hbac import competition as hms

MIRRORED = (1, 0, 3, 2)  # LL, RL, LP, RP with left and right exchanged


def flip_hemispheres(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Exchange left and right: chain LL with RL and LP with RP, in all channels.

    No class names a side, so the votes stay.

    Args:
        images: (..., 400, 300, 3).

    Returns:
        A copy of the same shape.
    """
    *batch, height, width, channels = images.shape
    chains = images.reshape(*batch, len(hms.CHAINS), height // len(hms.CHAINS), width, channels)
    return np.take(chains, MIRRORED, axis=-4).reshape(images.shape)
