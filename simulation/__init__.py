"""A store on a virtual clock: the real cores, simulated network, devices, shoppers and faults, by seed."""
