"""Networks by name, with random or published weights."""
