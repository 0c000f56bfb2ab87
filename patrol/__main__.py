"""`python -m patrol`."""

from patrol.cli import main

main()
