"""Files: SQLite files, atomic writes, and the back-off before the next try.

The lowest package: every store uses it, and it knows none of them. A store names its own errors.
"""
