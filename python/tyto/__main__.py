"""`python -m tyto` and the script `tyto`: the command that the package carries."""
import os
import signal
import sys

from ._library import NATIVE


def main() -> None:
    """Becomes the command, with the arguments that Python was given: exit codes and Ctrl-C are its own."""
    command = os.path.join(NATIVE, "tyto")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, which a program started by it would inherit
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execv(command, ["tyto", *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"tyto: {command}: {error.strerror}; install tyto again")


if __name__ == "__main__":
    main()
