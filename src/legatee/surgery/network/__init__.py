"""What a network holds, and which of its channels belong together."""
