"""An evolution under way: its candidates are scored one by one or all at once, and its mean is judged now and then.

    while search.generation < ...:
        search.score(next ones of search.candidates)     the last score of a generation leads on to the next
        search.judge(how the mean did)                   the best mean so far is kept

It can be saved between any two of these, and `evolve` does them all. A score is a mean over episodes whose dice are a
function of a number: candidate i and its fellow of the other half of the population have the same one.

Elsewhere: the mathematics (`behaviours.evolution`), playing (the method).
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from reverie.behaviours.evolution import Evolution

MEANS = 1 << 30
"""Where the numbers of judged means begin, far beyond those of candidates."""


Score = Callable[[np.ndarray, np.ndarray, int], np.ndarray | None]
"""What controllers reach: from parameters [candidate, parameter], the number of each one's dice, and how many episodes
to play, mean returns [candidate]; None if interrupted."""


class Search:
    """Candidates, their scores, and the best mean.

    Args:
        start: the first mean [parameter].
        sigma: the first step size.
        population: candidates per generation.
        seed: of every draw.
    """

    def __init__(self, start: np.ndarray, sigma: float, population: int, *, seed: int) -> None:
        self._evolution = Evolution(start, sigma, population, seed=seed)
        self.candidates = self._evolution.ask()
        """Of this generation [population, parameter]."""
        self.scores = np.zeros(population)
        self.scored = 0
        """How many of them have a score."""
        self.highest = -np.finfo(np.float64).max
        """What the best mean scored."""
        self.judged = 0
        """The generation after which the mean was judged last."""
        self._best = np.array(start, np.float64)

    @property
    def generation(self) -> int:
        """Generations that are over."""
        return self._evolution.generation

    @property
    def mean(self) -> np.ndarray:
        """Where the search is [parameter]."""
        return self._evolution.mean

    @property
    def best(self) -> np.ndarray:
        """The mean that did best when it was judged [parameter]; until one was, the mean."""
        return self._best if self.judged else self.mean

    def score(self, scores: np.ndarray) -> np.ndarray | None:
        """What the next candidates reached; with the last of them all scores, and the next generation begins."""
        self.scores[self.scored : self.scored + len(scores)] = scores
        self.scored += len(scores)
        if self.scored < len(self.scores):
            return None
        self._evolution.tell(self.candidates, self.scores)
        self.candidates, self.scored = self._evolution.ask(), 0
        return self.scores

    def judge(self, score: float) -> None:
        """What the mean reached."""
        self.judged = self.generation
        if score > self.highest:
            self._best, self.highest = self.mean, score

    def state(self) -> dict[str, np.ndarray]:
        """All that `restore` needs."""
        numbers = {"scored": self.scored, "highest": self.highest, "judged": self.judged}
        mine = {
            "scores": self.scores.copy(),
            "best": self._best,
            **{name: np.array(it) for name, it in numbers.items()},
        }
        return self._evolution.state() | mine

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from `state`, exactly."""
        self._evolution.restore(state)
        self.candidates = self._evolution.ask()
        self.scores, self._best = np.array(state["scores"]), np.array(state["best"])
        self.scored, self.highest, self.judged = int(state["scored"]), float(state["highest"]), int(state["judged"])


def evolve(
    search: Search,
    score: Score,
    *,
    together: int,
    generations: int,
    rollouts: int,
    judge_every: int,
    episodes: int,
    finished: Callable[[], bool],
) -> Iterator[dict[str, float]]:
    """Runs a search to its end; gives way after each call of `score`, with what there is to log.

    Args:
        search: from where it stands.
        score: candidates, at most so many `together`.
        together: see `score`.
        generations: after which it ends.
        rollouts: episodes of each candidate.
        judge_every: generations after which the mean is judged; it is after the last one too.
        episodes: that the mean plays then.
        finished: whether it ends sooner, anywhere; it can go on from there.
    """
    population = len(search.scores)
    while not finished():
        over = search.generation >= generations
        whole = search.generation % judge_every == 0 and not search.scored
        report: dict[str, float] = {}
        if search.generation > search.judged and (over or whole):
            scores = score(search.mean[None], np.array([MEANS + search.generation]), episodes)
            if scores is not None:
                search.judge(float(scores[0]))
                report = {"mean/return": float(scores[0])}
        elif over:
            return
        else:
            ahead = slice(search.scored, search.scored + together)
            numbers = search.generation * (population // 2) + np.arange(population)[ahead] % (population // 2)
            scores = score(search.candidates[ahead], numbers, rollouts)
            if scores is not None and (every := search.score(scores)) is not None:
                report = {"candidates/return": float(every.mean()), "candidates/best": float(every.max())}
        yield report | ({"generation": search.generation} if report else {})
