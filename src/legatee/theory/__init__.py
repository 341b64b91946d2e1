"""What can be said of the model world without simulating it."""
