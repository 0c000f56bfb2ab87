"""Who may see and do what: users, sessions, tokens, roles, and the record of every change.

    roles, credentials, throttle       values in, values out
    audit, users, sessions, tokens     rows of one SQLite file
    access                             what people and programs may ask for

The gate and the routes are in `dashboards/api`, the pages in `dashboards/console/doors.py`.
`docs/access.md` is the manual.
"""
