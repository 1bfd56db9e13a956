"""Evolution of a parameter vector by CMA-ES: candidates out, scores in, the larger the better.

Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772; the `cmaes` library's, which minimises. Ha &
Schmidhuber (arXiv 1803.10122) start it at zero with step size 0.1 and 64 candidates.

    m, sigma, C          mean, step size and shape of the normal distribution that candidates are drawn from
    generation g         candidates = m + sigma C^(1/2) noise(seed, g);  scores of all of them move m, sigma and C

Everything is a function of the seed and of the scores. In double precision, on the CPU. What a score is (rollouts,
their seeds, rounding) is the method's own.
"""

from collections.abc import Mapping

import numpy as np
from cmaes import CMA

_DOMAIN = 0x65766F6C  # keeps these seeds apart from those that others make of the same number
_STATE = ("mean", "sigma", "C", "p_sigma", "pc", "g", "funhist_values")
"""What moves, under the library's names without their underscore: m, sigma, C, two paths, generations, extremes. Not
by its pickling, which keeps half of C: C is symmetric only up to rounding, so that would not go on bit by bit."""


class Evolution:
    """A population that is asked for candidates and told their scores.

    Args:
        start: the first mean [parameter].
        sigma: the first step size.
        population: candidates per generation.
        seed: of every draw.
    """

    def __init__(self, start: np.ndarray, sigma: float, population: int, *, seed: int) -> None:
        if population < 3 or not sigma > 0:
            raise ValueError(f"Evolution: population must be 3 or more and sigma above 0, got {population} and {sigma}")
        self._seed = seed
        self._cma = CMA(np.asarray(start, np.float64), sigma, population_size=population)
        self._cma._funhist_values[:] = 0  # whatever lay in memory otherwise

    @property
    def generation(self) -> int:
        """Generations that have been told."""
        return self._cma.generation

    @property
    def mean(self) -> np.ndarray:
        """m [parameter]."""
        return self._cma.mean.copy()

    def ask(self) -> np.ndarray:
        """The candidates of this generation [population, parameter]; the same however often it is asked."""
        words = np.random.SeedSequence([_DOMAIN, self._seed, self.generation]).generate_state(1)
        self._cma.reseed_rng(int(words[0]))
        if self._cma._B is None:
            self._exact = self._cma._C.copy()  # taking it apart rounds it
        axes, lengths = self._cma._eigen_decomposition()
        noise = self._cma._rng.randn(self._cma.population_size, self._cma.dim)
        return self._cma._mean + self._cma._sigma * (noise @ (axes * lengths).T)  # the library's, in one product

    def tell(self, candidates: np.ndarray, scores: np.ndarray) -> None:
        """Go on to the next generation; ValueError for a score that is not finite.

        Args:
            candidates: as `ask` gave them [population, parameter].
            scores: of each [population].
        """
        if candidates.shape != (self._cma.population_size, self._cma.dim) or scores.shape != candidates.shape[:1]:
            raise ValueError(
                f"Evolution.tell: needs {self._cma.population_size} candidates of {self._cma.dim} parameters and their "
                f"scores, got {candidates.shape} and {scores.shape}"
            )
        if not np.isfinite(scores).all():
            raise ValueError(f"Evolution.tell: {np.sum(~np.isfinite(scores))} of {len(scores)} scores are not finite")
        self._cma.tell([(candidate, -float(score)) for candidate, score in zip(candidates, scores, strict=True)])

    def state(self) -> dict[str, np.ndarray]:
        """All that `restore` needs, whether this generation was asked for or not."""
        state = {name: np.array(getattr(self._cma, f"_{name}")) for name in _STATE}
        return state if self._cma._B is None else state | {"C": self._exact.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from `state`, exactly."""
        here = self.state()
        wrong = [name for name in here if name not in state or state[name].shape != here[name].shape]
        if wrong:
            raise ValueError(f"Evolution.restore: {wrong[0]} is not that of {self._cma.dim} parameters")
        for name, array in here.items():
            setattr(self._cma, f"_{name}", state[name].copy() if array.shape else state[name].item())
        self._cma._B = self._cma._D = None  # computed from C when they are needed
