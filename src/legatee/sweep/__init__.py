"""Any grid of settings, simulated block by block into a store that survives whatever happens."""
