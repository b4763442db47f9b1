"""Errors of the contract.

ContractError
├── UnknownTopic      the topic is no row of the table
└── BadMessage        the topic is known, the bytes on it do not fit: quarantined, counted, never fatal
"""

from __future__ import annotations


class ContractError(ValueError):
    """A message that does not fit the contract.

    `reason` is a short word for counters (`not_json`, `too_large`, `schema`, `wrong_source` …), `detail` the sentence for
    a person, `topic` where it arrived.
    """

    def __init__(self, topic: str, reason: str, detail: str) -> None:
        super().__init__(f"{topic}: {detail}")
        self.topic = topic
        self.reason = reason
        self.detail = detail


class UnknownTopic(ContractError):
    """The topic is no row of the contract's table."""


class BadMessage(ContractError):
    """The topic is known but the message on it breaks its schema."""
