"""Moving the elements that a plan names, all or nothing."""
