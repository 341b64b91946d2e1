"""One file for each figure: a declaration, and how its results are read."""
