"""All components of one car together."""

from __future__ import annotations

from conf.vehicle import VehicleSpec
from conf.wear import Component, WearRules
from physics.wear.brakes import brake_damage
from physics.wear.engine import engine_damage
from physics.wear.gearbox import GearboxDamage
from physics.wear.history import LoadHistory
from physics.wear.suspension import SuspensionDamage, static_load_n
from physics.wear.tyres import tyre_damage


class CarWear:
    """Damage of a car's components over its history, piece by piece; the pieces add up to the whole.

    Args:
        rules: Constants of the laws.
        spec: The car.
        mass_kg: With fuel and driver.
    """

    def __init__(self, rules: WearRules, spec: VehicleSpec, mass_kg: float) -> None:
        self._rules, self._spec = rules, spec
        self._gearbox = GearboxDamage(rules.gearbox, spec)
        self._suspension = SuspensionDamage(rules.suspension, static_load_n(spec, mass_kg))

    def add(self, history: LoadHistory) -> dict[Component, float]:
        """Damage that a piece of history adds to each component, as a share of its life."""
        rules = self._rules
        return {
            "engine": float(engine_damage(history, rules.engine, self._spec.engine).sum()),
            "gearbox": self._gearbox.add(history),
            "brakes": float(brake_damage(history, rules.brakes).sum()),
            "tyres": float(tyre_damage(history, rules.tyres).sum()),
            "suspension": self._suspension.add(history),
        }
