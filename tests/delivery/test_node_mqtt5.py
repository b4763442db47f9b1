"""The same messages on MQTT 5: expiry and content type are set for other readers, and nothing else changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contract.payloads import AgentHeartbeat
from tests.delivery.real import AGENT, HUB, OBSERVER, Party, RealBroker, until


async def test_streams_and_properties_on_mqtt_5(tmp_path: Path) -> None:
    seen: list[paho.MQTTMessage] = []
    async with RealBroker("mosquitto", tmp_path / "broker") as broker:
        reader = paho.Client(CallbackAPIVersion.VERSION2, client_id="observer-o", protocol=paho.MQTTv5)
        reader.username_pw_set(OBSERVER.username, broker.passwords[OBSERVER.username])
        subscribed = asyncio.Event()
        loop = asyncio.get_running_loop()
        reader.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
        reader.on_message = lambda _client, _data, message: seen.append(message)
        reader.connect("127.0.0.1", broker.port)
        reader.loop_start()
        reader.subscribe("instore/s1/agent/+/heartbeat", qos=1)
        await asyncio.wait_for(subscribed.wait(), 30)
        async with (
            Party(HUB, tmp_path, replace(broker.address(HUB), version="5")) as hub,
            Party(AGENT, tmp_path, replace(broker.address(AGENT), version="5")) as agent,
        ):
            await until(lambda: agent.engine.connected and hub.engine.connected)
            for n in range(50):
                agent.scan(f"scan-{n}")
            await until(lambda: len(agent.applied()) == 50)
            with agent.node.transaction() as tx:
                tx.send("agent_heartbeat", AgentHeartbeat(uptime_s=1, unacknowledged=0))
            await until(lambda: bool(seen))
        reader.disconnect()
        reader.loop_stop()
    properties = seen[0].properties
    assert properties is not None
    assert properties.ContentType == "application/cloudevents+json"
    assert 0 < properties.MessageExpiryInterval <= 60
