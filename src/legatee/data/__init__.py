"""Examples to learn from: by name, from files, or any dataset of PyTorch."""
