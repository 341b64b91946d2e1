"""The model world's ground: the numbers of a setting, and grids of settings."""
