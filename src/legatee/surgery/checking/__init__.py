"""Whether a plan is consistent, by numbers: both networks run, and their layers are compared."""
