"""How long tests wait for what must come."""

from __future__ import annotations

PATIENCE_S = 120.0
"""Longer than a busy machine ever takes [s]: being slow is no failure, never coming is one."""
