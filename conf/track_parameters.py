"""What a published file of track parameters says of a circuit: sector ends, DRS zones, friction."""

from __future__ import annotations

import configparser
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from conf.errors import InputError, check_input
from conf.text_file import read_text_file

FILE = "track_pars.ini"


class TrackParameters(BaseModel):
    """One circuit.

    Attributes:
        sector_ends_m: Where the first and the second of three sectors end.
        drs_zones_m: Where DRS opens and closes; a zone may reach over the line.
        grip_factor: Friction of the road against that of the tyre's test.
    """

    model_config = ConfigDict(frozen=True)

    sector_ends_m: tuple[float, float]
    drs_zones_m: tuple[tuple[float, float], ...] = ()
    grip_factor: float = Field(gt=0, default=1.0)


def load_track_parameters(path: Path, name: str) -> TrackParameters | None:
    """Parameters of a circuit, ``None`` where the file does not know it.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is not of this format; names file and circuit.
    """
    raw = read_ini_section(path, "TRACK_PARS", "track_pars").get(name)
    if raw is None:
        return None
    try:
        zones = tuple((raw[f"drs{z}_act"], raw[f"drs{z}_deact"]) for z in (1, 2))
        with check_input(f"{path}: {name}"):
            return TrackParameters(
                sector_ends_m=(raw["s12"], raw["s23"]),
                drs_zones_m=tuple(zone for zone in zones if all(zone)),  # 0 stands for none
                grip_factor=raw["mu_mean"],
            )
    except KeyError as error:
        raise InputError(f"{path}: {name} has no {error}") from None


def read_ini_section(path: Path, section: str, key: str) -> dict[str, Any]:
    """The JSON object under a key of an ini file.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If section or key are missing or the value is no JSON object.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text_file(path))
        found = json.loads(parser.get(section, key))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} has no readable section [{section}] with {key}: {error}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: {key} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: {key} must be a JSON object")
    return found
