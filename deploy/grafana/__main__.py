"""Writes the dashboard's JSON beside this module."""

from deploy.grafana.dashboard import PATH, render

if __name__ == "__main__":
    PATH.write_text(render())
