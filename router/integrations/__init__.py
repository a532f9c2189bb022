"""Integrations: each module is the only importer of another package, and uses public names of `router` only."""
