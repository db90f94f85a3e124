"""TimeGAN as tsgm has it, trained on windows and drawn from; run in an environment of its own by benchmarks.realism.

``python timegan.py IN.npz OUT.npz ITERATIONS SEED``: reads ``values`` of shape (n, steps, channels) and how many
windows to ``draw``, writes as many. Settings are tsgm's own (three GRU layers of 24, batches of 256 or all there are).
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from tsgm.models.timeGAN import TimeGAN

_BATCH = 256


def main(given: str, drawn: str, iterations: int, seed: int) -> None:
    """Train and draw."""
    keras.utils.set_random_seed(seed)
    with np.load(given, allow_pickle=False) as found:
        values, n = found["values"], int(found["draw"])
    batch = min(_BATCH, len(values))
    values = values[: len(values) // batch * batch]  # its networks take whole batches only
    model = TimeGAN(seq_len=values.shape[1], n_features=values.shape[2], module="gru", batch_size=batch)
    model.compile()
    model.fit(values, epochs=iterations)
    np.savez(drawn, values=np.asarray(model.generate(n_samples=n), dtype=np.float32))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
