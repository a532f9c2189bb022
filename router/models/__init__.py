"""Models: what one entry of a catalogue is, the names that are known, and the facts that are packaged."""
