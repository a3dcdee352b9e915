"""What the core raises when a person, a file or a model is at fault; the message is shown to that person.

DemoError              wrong input: what is wrong, what was found, what to do
├── ModelError         a model reference that can't be read, found or loaded
│   └── Unreachable    something on the Hub that can't be reached from here
├── DataError          a data set that can't be used as it is
├── RunError           a run that is not there or not in the right state
└── Stopped            somebody asked this work to stop before it had anything to show

Anything else that is raised is a bug, and is logged as one.
"""


class DemoError(Exception):
    """A sentence for the person at the page or behind the API."""


class ModelError(DemoError):
    """A model reference that can't be read, found or loaded."""


class Unreachable(ModelError):
    """Something on the Hub that can't be reached from here right now."""


class DataError(DemoError):
    """A data set that can't be used as it is."""


class RunError(DemoError):
    """A run that does not exist, or is in the wrong state for what was asked."""


class Stopped(DemoError):
    """Somebody asked for this work to stop before it had anything to show."""

    def __init__(self) -> None:
        super().__init__("Stopped.")
