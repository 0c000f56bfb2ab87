"""What is on record: alerts and their transitions, bulletins, and what is still to be told."""
