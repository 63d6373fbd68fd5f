"""Holds the operator's commands, `python -m consumers COMMAND`, one module each, as `frame.Command` describes."""
