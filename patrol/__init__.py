"""How Zhixun is put together: settings, station, command line, demo."""

__version__ = "0.1.0"
