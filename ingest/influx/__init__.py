"""The way to InfluxDB: a reader of the log that nobody waits for."""
