"""Integrations: each is the only importer of its package, and uses public names only."""
