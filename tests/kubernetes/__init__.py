"""A real Kubernetes of one node, and the chart's trials on it: `make kubernetes`."""
