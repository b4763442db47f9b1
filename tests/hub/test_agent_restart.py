"""An agent that was killed never tells who left meanwhile (found by the simulated store, seed 2 of the busy quarter-hour)."""

import pytest

from contract.payloads import AgentHeartbeat


def beat(store, epoch, agent="door-1"):
    return store.hear(
        store.bytes_of("agent_heartbeat", AgentHeartbeat(uptime_s=1, unacknowledged=0, epoch=epoch), agent=agent)
    )


@pytest.mark.row("C9")
@pytest.mark.row("A5")
def test_a_customer_whom_a_restarted_agent_does_not_hear_any_more_has_left(store, beacons):
    hanako = beacons[0]
    store.sight(hanako)
    beat(store, "e1")
    assert store.one("SELECT gone_since FROM visit") == (None,)

    beat(store, "e2")  # the agent has a new life, and she went out of the door in between

    assert store.all("SELECT * FROM presence") == []
    assert store.one("SELECT gone_since FROM visit") != (None,)
    assert store.counters["presences_forgotten"] == 1
    store.later(seconds=store.settings.alerts.left_grace_s + 1)
    assert {message.data.state for message in store.tick() if message.channel.name == "alert"} == {"expired"}


@pytest.mark.row("C9")
def test_whom_the_agent_hears_again_stays(store, beacons):
    store.sight(beacons[0])
    store._epoch = 2
    store.numbers.clear()
    store.sight(beacons[0])  # it arrived at the new life of the agent
    beat(store, "e2")
    beat(store, "")  # an agent of an older version
    assert len(store.all("SELECT * FROM presence")) == 1
    assert store.one("SELECT gone_since FROM visit") == (None,)
