"""The dispatcher's page: a live map, the zones by urgency, the open alerts."""
