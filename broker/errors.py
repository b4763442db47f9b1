"""Errors of the brokers: each is one sentence that names what, where, and what to do.

BrokerError
├── CredentialsError   the file of user names and passwords can't be used
├── AddressRefused     the embedded broker was asked to listen beyond this machine
├── PortInUse          somebody else listens there already
└── MosquittoError     Mosquitto is not installed, or ended by itself
"""

from __future__ import annotations

import os


class BrokerError(Exception):
    """A broker that can't start or serve; the text is a sentence for the person at the terminal."""


class CredentialsError(BrokerError):
    """The file of user names and passwords can't be read, written, or does not know the name."""


class AddressRefused(BrokerError):
    """The embedded broker listens on this machine only."""


class PortInUse(BrokerError):
    """A port on which a broker should listen is taken."""

    @classmethod
    def sentence(cls, host: str, port: int, error: OSError) -> PortInUse:
        return cls(
            f"port {port} on {host} can't be used for the broker ({os.strerror(error.errno or 0)}): end the program that"
            f" listens there (`ss -ltnp 'sport = :{port}'` names it) or choose another port"
        )


class MosquittoError(BrokerError):
    """Mosquitto is missing or did not come up."""
