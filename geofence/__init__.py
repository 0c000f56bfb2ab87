"""Where a bike was and what that covers: datum, grid, zones, quality, path, coverage.

Nothing in this package does I/O or reads a clock.
"""
