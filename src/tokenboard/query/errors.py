"""The error that names a wrong parameter."""

_SHOWN_CHARACTERS = 40


class ParameterError(ValueError):
    """A parameter that is wrong; an API answers 400 with the message.

    ``parameter`` is the parameter's name, ``message`` says what is wrong and how to fix it. A quoted value is cut
    short.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message


def quoted(value: str) -> str:
    """A value as an error message quotes it: printable, and cut short."""
    return repr(value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "…")
