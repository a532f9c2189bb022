"""Obtaining a catalogue: the only rooms that reach the network."""
