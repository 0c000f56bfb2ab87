"""The record of alerts: the book of transitions, bulletins, and the outbox of notifications."""
