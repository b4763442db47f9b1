"""From advertisements to sightings without the rest of an agent: the Bluetooth detector alone, for measurements."""

from __future__ import annotations

from config.edge_settings import BeaconSettings
from delivery.node import Node
from devices.beacon_scanner import Advert, BeaconScanner
from devices.beacon_settings import BeaconSettings as ScannerSettings
from edge.detectors.bluetooth import Bluetooth
from edge.detectors.detection import Detection


class Sightings(Detection):
    """`on_advert` in place of a radio. `run` until cancelled."""

    def __init__(self, settings: BeaconSettings, node: Node) -> None:
        self.bluetooth = Bluetooth(settings, lambda heard, tell: BeaconScanner(ScannerSettings(), heard, tell))
        self.bluetooth.wake = self.poke
        super().__init__([self.bluetooth], node)

    def on_advert(self, advert: Advert) -> None:
        """One advertisement."""
        self.bluetooth.on_advert(advert)
