"""Statistics of whole images that fusion papers report, of (H, W) uint8 luminance.

EN, SD, SF and AG look at the fused image alone, and noise lifts all four; MI looks at the sources
too. Levels are grey levels 0..255.
"""

from __future__ import annotations

import numpy as np

LEVELS = 256
BLACK, WHITE = 0, LEVELS - 1


def entropy(image: np.ndarray) -> float:
    """EN: Shannon entropy of the 256 grey levels, bits (0..8).

    Roberts, van Aardt and Ahmed, "Assessment of image fusion procedures using entropy, image
    quality, and multispectral classification", J. Appl. Remote Sens. 2008.
    """
    return _entropy(np.bincount(image.ravel(), minlength=LEVELS)) / np.log(2)


def standard_deviation(image: np.ndarray) -> float:
    """SD: standard deviation over all pixels (of the population), grey levels."""
    return float(image.std(dtype=np.float64))


def spatial_frequency(image: np.ndarray) -> float:
    """SF: root of the mean squared differences of neighbours in rows plus those in columns.

    Eskicioglu and Fisher, "Image quality measures and their performance", IEEE Trans. Commun.
    1995; each mean is over the differences there are.
    """
    levels = image.astype(np.float64)
    rows, columns = np.diff(levels, axis=1), np.diff(levels, axis=0)
    return float(np.sqrt((rows**2).mean() + (columns**2).mean()))


def average_gradient(image: np.ndarray) -> float:
    """AG: mean of sqrt((gx^2 + gy^2) / 2), grey levels a pixel.

    Cui et al., "Detail preserved fusion of visible and infrared images using regional saliency
    extraction and multi-scale image decomposition", Opt. Commun. 2015; gradients are central
    differences, one-sided at the border.
    """
    gy, gx = np.gradient(image.astype(np.float64))
    return float(np.sqrt((gx**2 + gy**2) / 2).mean())


def mutual_information(image: np.ndarray, other: np.ndarray) -> float:
    """Mutual information of two images' grey levels, nats."""
    joint = np.bincount(
        image.ravel().astype(np.intp) * LEVELS + other.ravel(), minlength=LEVELS * LEVELS
    ).reshape(LEVELS, LEVELS)
    alone = _entropy(joint.sum(0)) + _entropy(joint.sum(1))
    # The difference of equal numbers can fall just below 0.
    return max(alone - _entropy(joint), 0.0)


def fusion_mutual_information(thermal: np.ndarray, visible: np.ndarray, fused: np.ndarray) -> float:
    """MI: mutual information of the fused image with each source, added, nats.

    Qu, Zhang and Yan, "Information measure for performance of image fusion", Electron. Lett. 2002.
    """
    return mutual_information(thermal, fused) + mutual_information(visible, fused)


def clipped_share(thermal: np.ndarray, visible: np.ndarray, fused: np.ndarray) -> float:
    """Share of all pixels (0..1) that the fusion clipped.

    Counted is a pixel where the fused image is black (0) or white (255) and neither source is
    either of the two: there the sources still told apart what the fused image does not.
    """
    new = _at_the_end(fused) & ~_at_the_end(thermal) & ~_at_the_end(visible)
    return float(new.mean())


def stretch(image: np.ndarray) -> np.ndarray:
    """Spread an image's own minimum and maximum over 0..255, rounded; a flat one stays.

    What several published methods do to their output before it is scored.
    """
    low, high = int(image.min()), int(image.max())
    if low == high:
        return image
    return np.round((image.astype(np.float64) - low) * (WHITE / (high - low))).astype(np.uint8)


def _at_the_end(image: np.ndarray) -> np.ndarray:
    return (image == BLACK) | (image == WHITE)


def _entropy(counts: np.ndarray) -> float:
    """Shannon entropy of a histogram, nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
