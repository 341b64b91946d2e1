"""One file for each kind of data that has a name; each has a function ``load(options, spec)``."""
