"""What the console has from others, and how it comes into the repository."""
