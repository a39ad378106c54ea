"""How far probabilities can be believed, for many weightings of the images at once.

With logits of the probabilities x and outcomes y (Cox 1958; Van Calster et al., BMC Medicine 2019):
- intercept, or calibration-in-the-large: a of logit P(y) = a + x. Below 0 probabilities are too high on average;
- slope: b of logit P(y) = a + b x. Below 1 they are too extreme, above 1 too timid;
- ECE, the expected calibration error: mean distance of probability and frequency over bins of equally many images
  (Nixon et al., CVPR Workshops 2019): the distance of the calibration curve from the diagonal. Bins are those of the
  sample in every draw. Chance alone keeps it above 0: with n images of a prevalence p, perfect probabilities and B bins
  by about sqrt(2 B p (1 - p) / (pi n)), so only ECEs of the same images compare.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.special import logit

from asclepius.evaluate.metrics import ratio, weighted_mean
from asclepius.evaluate.newton import minimum

BINS = 10
LEAST = 1e-7  # probabilities nearer to 0 or 1 count as this far away: float32 knows none between it and 1
LEVELS = 2000  # more distinct logits than this are put into half as many equal groups, each with its mean
BLOCK = 1 << 16  # weights at a time
ROUNDS = 12  # of Newton's method for all draws; the few that need more go one by one
STEPS = 100
CLOSE = 1e-5  # a last step this small is followed by an error of its square


def logits(probability: np.ndarray) -> np.ndarray:
    """Log-odds, finite at 0 and 1 too."""
    return logit(np.clip(probability, LEAST, 1 - LEAST))


def tenths(probability: np.ndarray) -> np.ndarray:
    """Which of at most BINS bins of equally many images each belongs to, shape (images,); ties share a bin."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, BINS + 1)))[1:-1]
    return np.unique(np.searchsorted(edges, probability, "right"), return_inverse=True)[1]


class Calibration:
    """One class's probabilities, sorted once and then weighted many times.

    Args:
        target: bool, shape (images,).
        probability: shape (images,), 0..1.

    Statistics take weights of shape (draws, images) and give (draws,); NaN where undefined: no image of a class, and
    for the slope one probability for all or classes that some probability tells apart (its slope is infinite).
    """

    def __init__(self, target: np.ndarray, probability: np.ndarray):
        self._target = target.astype(np.float64)
        self._gap = probability - self._target
        bins = tenths(probability)
        self._bins = np.zeros((len(target), bins.max() + 1))
        self._bins[np.arange(len(target)), bins] = self._gap
        x = logits(probability)
        self._order = np.argsort(x, kind="stable")
        levels, self._starts = np.unique(x[self._order], return_index=True)
        if len(levels) > LEVELS:
            self._starts = np.linspace(0, len(x), LEVELS // 2, endpoint=False).astype(int)
            counts = np.diff(np.r_[self._starts, len(x)])
            levels = np.add.reduceat(x[self._order], self._starts) / counts
        self._x = levels
        self._place = np.empty(len(x), dtype=int)
        self._place[self._order] = np.searchsorted(self._starts, np.arange(len(x)), "right") - 1

    def brier(self, weights: np.ndarray) -> np.ndarray:
        """Mean squared distance of probability and outcome (Brier 1950)."""
        return weighted_mean(self._gap**2, weights)

    def ece(self, weights: np.ndarray) -> np.ndarray:
        """Expected calibration error."""
        return ratio(np.abs(weights @ self._bins).sum(axis=1), weights.sum(axis=1))

    def intercept(self, weights: np.ndarray) -> np.ndarray:
        """Calibration-in-the-large, in log-odds; 0 is ideal."""
        whole, positive = weights.sum(axis=1), weights @ self._target
        out = np.full(len(weights), np.nan)
        use = np.flatnonzero((positive > 0) & (positive < whole))
        if len(use):
            levels = self._of_levels(weights[use])
            start = self._offsets(levels[:1], positive[use[:1]], whole[use[:1]], 0.0)[0]
            for part in _blocks(levels):
                out[use[part]] = self._offsets(levels[part], positive[use[part]], whole[use[part]], start)
        return out

    def slope(self, weights: np.ndarray) -> np.ndarray:
        """Calibration slope; 1 is ideal."""
        out = np.full(len(weights), np.nan)
        use = np.flatnonzero(self._overlap(weights))
        if len(use) and self._fit is not None:
            levels = self._of_levels(weights[use])
            score = weights[use] @ np.stack([self._target, self._target * self._x[self._place]], axis=1)
            for part in _blocks(levels):
                out[use[part]] = self._slopes(levels[part], score[part])
        return out

    def _of_levels(self, weights: np.ndarray) -> np.ndarray:
        ordered = weights[:, self._order]
        return ordered if len(self._starts) == len(self._order) else np.add.reduceat(ordered, self._starts, axis=1)

    def _overlap(self, weights: np.ndarray) -> np.ndarray:
        """Whether the classes overlap, without which the slope is infinite (Albert & Anderson, Biometrika 1984)."""
        ends = []
        for own in (True, False):
            mine = self._order[(self._target[self._order] == 1) == own]
            if not len(mine):
                return np.zeros(len(weights), dtype=bool)
            drawn = weights[:, mine] > 0
            place = self._place[mine]
            low, high = place[drawn.argmax(axis=1)], place[len(mine) - 1 - drawn[:, ::-1].argmax(axis=1)]
            ends.append((drawn.any(axis=1), low, high))
        (some, low, high), (others, below, above) = ends
        return some & others & (low < above) & (below < high)

    def _offsets(self, weights: np.ndarray, positive: np.ndarray, whole: np.ndarray, start: float) -> np.ndarray:
        """The offset that makes the mean probability the prevalence: Newton's steps, kept between known bounds."""
        centre = logit(positive / whole)
        low, high = centre - self._x[-1], centre - self._x[0]
        at = np.clip(start, low, high)
        for _ in range(STEPS):
            chance = _chance(self._x + at[:, None])
            expected = weights * chance
            missing = positive - expected.sum(axis=1)
            low, high = np.where(missing >= 0, at, low), np.where(missing <= 0, at, high)
            stepped = at + ratio(missing, np.einsum("dl,dl->d", expected, 1 - chance))
            stepped = np.where((stepped >= low) & (stepped <= high), stepped, (low + high) / 2)
            moved, at = np.abs(stepped - at).max(), stepped
            if moved <= CLOSE:
                break
        return at

    def _slopes(self, weights: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Slopes of logistic regressions of outcomes on logits: Newton's method for all draws from the sample's fit.

        Args:
            weights: of levels, shape (draws, levels).
            score: weighted outcomes, and outcomes times logits, shape (draws, 2).
        """
        powers = self._x[:, None] ** np.arange(3)
        whole = weights.sum(axis=1)
        at = self._fit[None]  # the first step starts from one place and costs next to nothing
        for _ in range(ROUNDS):
            chance = _chance(at[:, :1] + at[:, 1:] * self._x)
            expected = weights @ (chance.T * powers) if len(at) == 1 else (weights * chance) @ powers
            spread = chance * (1 - chance)
            h = (weights @ (spread.T * powers) if len(at) == 1 else (weights * spread) @ powers).T
            missing = (score - expected[:, :2]).T
            step = np.stack([h[2] * missing[0] - h[1] * missing[1], h[0] * missing[1] - h[1] * missing[0]], axis=1)
            step = ratio(step, (h[0] * h[2] - h[1] ** 2)[:, None])
            at = at + step
            # By what the step still gains: steps that run off to infinity get small beside where they have come.
            hard = ~((step * missing.T).sum(axis=1) <= CLOSE**2 * whole)
            if not hard.any():
                break
        for draw in np.flatnonzero(hard):
            at[draw] = self._regression(weights[draw], score[draw])
        return at[:, 1]

    @cached_property
    def _fit(self) -> np.ndarray | None:
        everyone = np.ones((1, len(self._target)))
        if not self._overlap(everyone)[0]:
            return None
        score = np.array([self._target.sum(), self._target @ self._x[self._place]])
        return self._regression(self._of_levels(everyone)[0], score)

    def _regression(self, weights: np.ndarray, score: np.ndarray) -> np.ndarray:
        """Intercept and slope in one draw, however hard; NaN where rounding leaves them unknown."""
        powers = self._x[:, None] ** np.arange(2)

        def loss(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            linear = powers @ at
            probability = _chance(linear.copy())
            slack = weights * probability * (1 - probability)
            value = float(weights @ np.logaddexp(0, linear) - score @ at)
            return value, (weights * probability) @ powers - score, powers.T @ (slack[:, None] * powers)

        found = minimum(loss, np.array([0.0, 1.0]))
        return np.full(2, np.nan) if found is None else found


def _blocks(weights: np.ndarray) -> Iterator[slice]:
    """Some draws at a time, so that what is computed of them stays in the processor's cache."""
    step = max(1, BLOCK // weights.shape[1])
    return (slice(start, start + step) for start in range(0, len(weights), step))


def _chance(logits: np.ndarray) -> np.ndarray:
    """The logistic function, in place: seven times as fast as SciPy's."""
    np.negative(logits, out=logits)
    with np.errstate(over="ignore"):
        np.exp(logits, out=logits)
    logits += 1
    return np.reciprocal(logits, out=logits)
