"""What the network is to lose next between the clients and one server."""

from dataclasses import dataclass


@dataclass(slots=True)
class Losses:
    """Counts down what is still to be lost. A connection that has lost something ends, or `hangs` for ever."""

    commands: int = 0
    replies: int = 0
    pipeline: int | None = None  # how many commands of the next one are done before its connection ends
    hangs: bool = False

    @property
    def are_due(self) -> bool:
        """Whether any command or reply is to be lost."""
        return self.commands > 0 or self.replies > 0

    def take_command(self) -> bool:
        """Returns whether the next command does not come to the server."""
        if self.commands <= 0:
            return False
        self.commands -= 1
        return True

    def take_reply(self) -> bool:
        """Returns whether the next reply does not come to the client."""
        if self.replies <= 0:
            return False
        self.replies -= 1
        return True

    def take_pipeline(self, commands: int) -> int | None:
        """Returns how many of these commands, sent at once, come to the server; None if all do."""
        if self.pipeline is None or commands < 2:
            return None
        done, self.pipeline = min(self.pipeline, commands - 1), None
        return done
