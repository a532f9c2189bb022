"""Locking: the lock file, and what a lock says to a running application."""
