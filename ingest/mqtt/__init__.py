"""MQTT in and out: the connections to a broker, their batches, and what is published."""
