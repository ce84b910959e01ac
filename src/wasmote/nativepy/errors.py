"""Errors of the nativepy compiler."""


class NativeError(Exception):
    """A nativepy function does not compile: says where (file and line) and what was expected."""

    def __init__(self, message: str, file: str = "?", line: int = 0) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.message, self.file, self.line = message, file, line
