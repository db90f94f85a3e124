"""Which algorithm is registered."""

import numpy as np
import pytest

from ml.karma.evaluation import choose_best_algorithm


@pytest.mark.parametrize(
    ("forest", "network", "chosen"), [(0.90, 0.95, "network"), (0.949, 0.95, "forest"), (0.95, 0.90, "forest")]
)
def test_the_simplest_of_the_best_is_taken(forest: float, network: float, chosen: str) -> None:
    def flat(r2: float) -> list[np.ndarray]:
        return [np.full(5, r2 - 0.1), np.full(5, r2 + 0.1)]

    assert choose_best_algorithm({"forest": flat(forest), "network": flat(network)}) == chosen
