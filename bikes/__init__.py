"""What a bike is and what it says: telemetry, topics, formats, roster, fleet state.

Nothing in this package does I/O or reads a clock.
"""
