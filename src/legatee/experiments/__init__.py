"""What is run to show something: each a declaration and a ``run()``, nothing clever."""
