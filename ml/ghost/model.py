"""The trained ghost: a generator for each zone type with its scaler and shape, as files and back.

Read this module only where torch is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from typing import Final

import numpy as np
import torch

from analysis.segmentation.segmentation import SegmentedTrack
from analysis.segmentation.stretches import TrackStretch
from analysis.segmentation.zones import TYPES, ZoneType
from conf.arrays import Float32Array, FloatArray
from conf.errors import InputError
from conf.units import KMH_PER_MPS
from ml.ghost.networks import Generator, NetworkShape
from ml.ghost.scaler import CHANNELS, Scaler, ScalerError, scaler_from_bytes
from ml.ghost.search.chain import STEPS, ChainedLap
from ml.ghost.windows import CONDITIONS, stretch_conditions
from ml.model_files import refusing_other_files

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SCALER: Final = "scaler.json"
_NEAR_SHARE: Final = 0.75
_FIRST_SPREAD: Final = 0.6
_CLOSING: Final = 0.7


class ModelFormatError(InputError):
    """The weights do not fit this version; the message says what differs."""


@dataclass(frozen=True)
class GhostModel:
    """Generators of all zone types.

    Attributes:
        generators: By zone type.
        scaler: Between their space and physical units.
        scaler_id: Where the fitted scaler is kept.
        name: What to call it, e.g. ``models:/ghost-gan/3``.
    """

    generators: Mapping[ZoneType, Generator]
    scaler: Scaler
    scaler_id: str
    name: str


def model_to_files(
    weights: Mapping[ZoneType, bytes], shape: NetworkShape, scaler: bytes, scaler_id: str
) -> dict[str, bytes]:
    """Serialise a model to files, by name."""
    manifest = _build_manifest(shape) | {"scaler_id": scaler_id}
    files = {MANIFEST: json.dumps(manifest, indent=1).encode(), SCALER: scaler}
    return files | {weights_file_name(kind): data for kind, data in weights.items()}


def weights_file_name(kind: ZoneType) -> str:
    """Name of the file with a zone type's weights."""
    return f"{kind.lower()}.pt"


def model_from_files(read: Callable[[str], bytes], name: str) -> GhostModel:
    """Load a model from its files; only tensors are read from weights, never code.

    Args:
        read: Gives the content of a file by name.
        name: What to call the model.

    Raises:
        ModelFormatError: If it is of another version than this one, or a file does not fit.
    """
    with refusing_other_files(ModelFormatError, name, "slipstream train ghost"):
        manifest = json.loads(read(MANIFEST))
        shape = NetworkShape(**manifest.get("shape", {}))
    wanted = _build_manifest(shape)
    differs = [key for key, value in wanted.items() if manifest.get(key) != value]
    if differs:
        said = "; ".join(f"{key} is {manifest.get(key)}, not {wanted[key]}" for key in differs)
        raise ModelFormatError(
            f"{name} was trained by another version ({said}): train anew with `slipstream train ghost`"
        )
    with refusing_other_files(ModelFormatError, name, "slipstream train ghost"):
        generators = {kind: _load_generator(read(weights_file_name(kind)), shape, f"{name}, {kind}") for kind in TYPES}
        return GhostModel(generators, _load_scaler(read(SCALER), name), manifest["scaler_id"], name)


class GanSource:
    """Stretches drawn from a model, in physical units (G14, GX4).

    At first latent points come from the prior. Told of a good lap, it draws most of them about that lap's own from
    then on, ever nearer: the search goes on in the latent space, so that all it finds is still the generator's.

    Args:
        model: The generators.
        track: The track they drive on.
    """

    def __init__(self, model: GhostModel, track: SegmentedTrack) -> None:
        self.model, self.track = model, track
        self._drawn: dict[int, tuple[FloatArray, Float32Array]] = {}  # entry and exit speeds, and the latent points
        self._centres: dict[int, Float32Array] = {}
        self._rounds = 0

    def propose(self, stretch: TrackStretch, entry_mps: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
        """Ways to drive a stretch.

        Args:
            stretch: The stretch.
            entry_mps: Speeds at its start, shape (m,).
            n: Ways for each.
            rng: Source of latent points.

        Returns:
            Speed in m/s, throttle in percent, brake pressure in bar, steering angle in degrees, shape
            (m, n, STEPS, 4).
        """
        generator, scaler = self.model.generators[stretch.kind], self.model.scaler
        told = torch.from_numpy(stretch_conditions(self.track, scaler, stretch.start_m, stretch.end_m))
        entry = np.repeat(scaler.speed_n(entry_mps * KMH_PER_MPS), n).astype(np.float32)
        latent = self._latents(stretch, (len(entry_mps), n, generator.shape.latent), rng).reshape(len(entry), -1)
        with torch.no_grad():
            drawn = generator(told.expand(len(entry), *told.shape), torch.from_numpy(entry), torch.from_numpy(latent))
        values = scaler.physical(drawn.numpy().astype(np.float64)).reshape(len(entry_mps), n, STEPS, 4)
        values[..., 0] /= KMH_PER_MPS
        values[:, :, 0, 0] = entry_mps[:, None]  # exactly, not to a float32
        self._drawn[stretch.number] = values[:, :, [0, -1], 0].reshape(-1, 2), latent
        return values

    def focus(self, best: ChainedLap) -> None:
        """Search near the latent points of a lap chained from the last proposals."""
        for stretch, piece in zip(best.stretches, best.pieces, strict=True):
            speeds, latent = self._drawn[stretch.number]
            same = np.flatnonzero((speeds == piece[[0, -1], 0]).all(axis=1))
            if same.size:
                self._centres[stretch.number] = latent[same[0]]
        self._rounds += 1

    def _latents(self, stretch: TrackStretch, shape: tuple[int, int, int], rng: np.random.Generator) -> Float32Array:
        """Points of the prior; with a centre the first is it, and most of the others lie about it."""
        latent = rng.standard_normal(shape).astype(np.float32)
        centre = self._centres.get(stretch.number)
        if centre is not None:
            near = rng.random(shape[:2]) < _NEAR_SHARE
            spread = np.float32(_FIRST_SPREAD * _CLOSING ** (self._rounds - 1))
            latent[near] = centre + spread * latent[near]
            latent[:, 0] = centre
        return latent


def _build_manifest(shape: NetworkShape) -> dict[str, object]:
    return {
        "format": FORMAT,
        "steps": STEPS,
        "channels": list(CHANNELS),
        "conditions": list(CONDITIONS),
        "scaler": SCALER,
        "shape": asdict(shape),
    }


def _load_scaler(data: bytes, name: str) -> Scaler:
    try:
        return scaler_from_bytes(data)
    except ScalerError as error:
        raise ModelFormatError(f"{name}: {error}: train anew with `slipstream train ghost`") from error


def _load_generator(data: bytes, shape: NetworkShape, what: str) -> Generator:
    generator = Generator(shape)
    try:
        generator.load_state_dict(torch.load(BytesIO(data), map_location="cpu", weights_only=True))
    except (RuntimeError, KeyError) as error:
        raise ModelFormatError(f"{what}: its weights do not fit its manifest: {error}") from error
    return generator.eval()
