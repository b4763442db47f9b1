"""How strongly a beacon is heard: log-distance path loss, walls, fading, reception. Pure; randomness is an argument.

Mean RSSI = power at 1 m - 10 · exponent · log10(distance) - walls crossed. Scatter and exponents as fitted on recordings in
one hall (4.0 to 5.9 dB, 1.2 to 2.9); a deep fade now and then stands for a body or a reflection in the way.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

__all__ = ["Point", "Radio", "Wall"]

Point = tuple[float, float]  # metres on the floor plan

#: Closer than this the model has no meaning: the antennas touch.
NEAREST_M = 0.1
RSSI_MAX_DBM = 20


@dataclass(frozen=True, slots=True)
class Wall:
    """A straight wall from `a` to `b`. Glass takes about 6 dB, brick 10 to 15, a metal door 20 and more."""

    a: Point
    b: Point
    loss_db: float


@dataclass(frozen=True, slots=True)
class Radio:
    """`loss` is the share of advertisements missed for no reason, `sensitivity_dbm` the weakest that is received."""

    exponent: float = 2.2
    sigma_db: float = 4.0
    deep_fade_share: float = 0.03
    deep_fade_db: float = 12.0
    loss: float = 0.1
    sensitivity_dbm: float = -97.0
    walls: tuple[Wall, ...] = ()

    def mean_dbm(self, power_dbm: float, sender: Point, receiver: Point) -> float:
        """The level without fading. `power_dbm` is the sender's RSSI at 1 m."""
        metres = max(NEAREST_M, math.dist(sender, receiver))
        walls_db = sum(wall.loss_db for wall in self.walls if _cross(sender, receiver, wall.a, wall.b))
        return power_dbm - 10 * self.exponent * math.log10(metres) - walls_db

    def receive(self, power_dbm: float, sender: Point, receiver: Point, rng: random.Random) -> int | None:
        """The RSSI of one advertisement in whole dBm, None when it is missed. Draws three numbers, whatever happens,
        so that one beacon's fate does not shift another's."""
        missed, fade, scatter = rng.random() < self.loss, rng.random() < self.deep_fade_share, rng.gauss(0, 1)
        level = self.mean_dbm(power_dbm, sender, receiver) + self.sigma_db * scatter
        level -= self.deep_fade_db if fade else 0.0
        return None if missed or level < self.sensitivity_dbm else round(min(level, RSSI_MAX_DBM))


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments a-b and c-d cross; touching an end counts."""

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) <= 0 < math.dist(a, b) and side(c, d, a) * side(c, d, b) <= 0
