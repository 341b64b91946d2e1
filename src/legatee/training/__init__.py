"""The plain training loop that races and experiments share; models and data by name."""
