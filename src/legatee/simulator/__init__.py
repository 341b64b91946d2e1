"""The two-layer ReLU CNN of the model world, exact in law, at a cost that does not grow with d."""
