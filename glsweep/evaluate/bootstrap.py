"""Bootstrap intervals of pooled figures: what they are pooled from is drawn anew, with replacement."""

import numpy as np
import numpy.typing as npt

DRAWS = 1000
FEWEST_SCENES = 3
"""An interval over fewer scenes would say nothing."""

Values = npt.NDArray[np.float64]


def resampled(sums: Values, generator: np.random.Generator) -> Values:
    """Draw units anew and add up what each brings.

    Parameters
    ----------
    sums : array (units, K)
        What each scene or patch adds to the K sums that figures are quotients of.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    array (DRAWS, K)
    """
    draws = generator.integers(len(sums), size=(DRAWS, len(sums)))
    return np.stack([column[draws].sum(axis=1) for column in np.ascontiguousarray(sums.T)], axis=1)


def interval(values: Values) -> tuple[float, float] | None:
    """Return the 95 % interval of a figure's draws, None where half of them have no value."""
    known = values[np.isfinite(values)]
    if len(known) < DRAWS / 2:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
