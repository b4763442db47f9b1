"""What notices customers, or counts people: one interface for beacons, member codes, infrared counters, cameras (rows A4, A13).

A detector has a driver that hears the world and a core that decides what it means; `edge.detectors.detection` asks all cores in
turn and tells the hub. Yet another one is a class with the few methods of `edge.detectors.detector.Detector`.
"""
