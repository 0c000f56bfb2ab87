"""What people see: HTTP API, console, Grafana dashboards."""
