"""What is said over MQTT in a store: topics, who may use them, messages, envelope. Pure, no I/O.

Start with `contract.messages`: one table holds the whole language. `contract.envelope` turns its rows into bytes and
back, `contract.access` into rules for a broker, `contract.asyncapi` into a document for integrators.
"""
