"""The operator's commands: `python -m consumers COMMAND`. Each is a module that `frame.Command` describes."""
