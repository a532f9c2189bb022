"""The catalogue: its index, the policies and decisions that are made with it, and gates."""
