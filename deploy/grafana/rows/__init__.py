"""The rows of the dashboard, in its order."""

from deploy.grafana.rows.fast import FAST
from deploy.grafana.rows.full import FULL
from deploy.grafana.rows.platform import PLATFORM
from deploy.grafana.rows.right import RIGHT

ROWS = (RIGHT, FAST, FULL, PLATFORM)
