"""How telemetry gets in and how it is kept: inlets, log, decode, pipeline, archive."""
