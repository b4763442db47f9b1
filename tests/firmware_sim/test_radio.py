"""Path loss, walls and fading: known values, and statistics from a seed."""

import random
import statistics

import pytest

from firmware_sim.radio import Radio, Wall

EXACT = Radio(sigma_db=0, deep_fade_share=0, loss=0)


@pytest.mark.parametrize(("metres", "dbm"), [(1, -59), (10, -81), (100, None), (0, -37)])
def test_the_level_falls_22_db_a_decade(metres: float, dbm: int | None):
    assert EXACT.receive(-59, (0, 0), (metres, 0), random.Random(1)) == dbm


def test_only_walls_in_between_take_their_loss():
    walls = (Wall((2, -1), (2, 1), 6), Wall((3, -1), (3, 1), 12), Wall((8, -1), (8, 1), 20), Wall((1, 5), (9, 5), 20))
    radio = Radio(sigma_db=0, deep_fade_share=0, loss=0, walls=walls)
    assert radio.mean_dbm(-59, (0, 0), (5, 0)) == pytest.approx(EXACT.mean_dbm(-59, (0, 0), (5, 0)) - 18)
    assert radio.mean_dbm(-59, (5, 0), (0, 0)) == radio.mean_dbm(-59, (0, 0), (5, 0))


def test_scatter_and_loss_are_as_stated():
    radio, rng = Radio(sigma_db=4, deep_fade_share=0, loss=0.1), random.Random(5)
    heard = [radio.receive(-59, (0, 0), (1, 0), rng) for _ in range(5000)]
    levels = [level for level in heard if level is not None]
    assert len(levels) / 5000 == pytest.approx(0.9, abs=0.02)
    assert statistics.mean(levels) == pytest.approx(-59, abs=0.3)
    assert statistics.stdev(levels) == pytest.approx(4, abs=0.2)


def test_a_seed_gives_the_same_levels():
    first, second = random.Random(9), random.Random(9)
    assert [Radio().receive(-59, (0, 0), (3, 0), first) for _ in range(50)] == [
        Radio().receive(-59, (0, 0), (3, 0), second) for _ in range(50)
    ]
