"""The store's MQTT broker: Mosquitto configured from the contract, or amqtt embedded for one machine.

Start with docs/brokers.md. `credentials` is who may connect, for both; `mosquitto` writes files, `mosquitto_process` runs one
for the demo; `embedded` is amqtt, `guarded`, `connection` and `admission` what keeps it in order.
"""
