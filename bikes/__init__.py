"""Bikes and their messages: telemetry, topics, formats, roster, fleet state.

Nothing in this package does I/O or reads a clock.
"""
