"""Grafana's dashboards as code, for the fleet operator.

One module a dashboard, one function a panel. Pure: everything is computed from the language,
the time zone and the name of the data source. The JSON in `generated/` is made by
``patrol dashboards build`` and committed; a test fails when it differs.
"""
