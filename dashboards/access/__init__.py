"""Who may see and do what: users, sessions, tokens, roles, and the record of every change.

    roles, errors, credentials, throttle     values in, values out
    file, users, sessions, tokens, audit     rows of one SQLite file
    access, accounts                         what people and programs may ask for
    pages                                    sign in, set up, change the password

The gate and the routes are of `dashboards/api`. `docs/access.md` is the manual.
"""
