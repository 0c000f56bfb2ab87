"""The configuration: patrol.toml and the environment, as checked values."""
