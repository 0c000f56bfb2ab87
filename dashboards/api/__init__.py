"""The HTTP API: everything people's programs, and the console, may ask."""
