"""Who may see and do what: users, sessions, tokens, roles, and the record of every change.

    names, roles, secret, passwords, throttle, routes     values in, values out
    file, users, sessions, tokens, invitation, audit      rows of one SQLite file
    access                                                 what people and programs may ask for
    gate                                                   every request passes it
    api, pages                                             the routes and the pages

`docs/access.md` is the manual.
"""
