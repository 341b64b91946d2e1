"""Partial transfer between real PyTorch networks: plan it, apply it, account for it."""
