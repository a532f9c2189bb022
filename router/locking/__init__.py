"""Locking: the lock file, its checks, and the locked answers of a running application."""
