"""Ways to start a network and to tune it: from scratch, from inherited parameters, or frozen."""
