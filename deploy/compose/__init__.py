"""What `compose.yaml` runs from the checkout, beside the image."""
