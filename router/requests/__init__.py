"""Requests: what a request asks of a model, and how it is adapted to one."""
