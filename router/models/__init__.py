"""Models: the entries of a catalogue, the vocabulary, and the packaged facts."""
