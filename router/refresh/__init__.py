"""Refresh: obtaining a catalogue from a source or from disk, and renewing it."""
