"""Minima of smooth convex functions of a few parameters."""

from collections.abc import Callable

import numpy as np

STEPS = 100
FLAT = 1e-10  # expected gain, relative to the value, below which the minimum is found


def minimum(
    function: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]], start: np.ndarray
) -> np.ndarray | None:
    """Newton's method with halved steps (Boyd & Vandenberghe 2004, section 9.5); None where no minimum is reached.

    Args:
        function: parameters (p,) to value, gradient (p,) and Hessian (p, p). Parameters that it does not depend on
            stay where they start.
    """
    at = np.asarray(start, dtype=np.float64)
    value, gradient, hessian = function(at)
    for _ in range(STEPS):
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0]
        gain = -float(gradient @ step)
        if gain <= FLAT * (1 + abs(value)):
            return at
        length = 1.0
        while not (found := function(at + length * step))[0] <= value - 1e-4 * length * gain:
            length /= 2
            if length < 1e-10:
                return at
        at, (value, gradient, hessian) = at + length * step, found
    return None
