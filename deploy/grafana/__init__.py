"""The dashboard for Grafana, from typed code: `python -m deploy.grafana` writes its JSON."""
