"""The web page for people: its files, and what reads them. Nothing of it is built when the service runs."""
