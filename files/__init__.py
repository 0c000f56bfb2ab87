"""How are files kept? SQLite files, atomic writes, and the wait before the next try.

The lowest package: every store uses it, and it knows none of them. A store names its own errors.
"""
