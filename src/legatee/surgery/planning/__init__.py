"""Which elements of a target come from where."""
