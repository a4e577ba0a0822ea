"""The C library of attention, regions and suppression."""
from .._library import Library

OPERATORS = Library("operators")
LAYOUT = {last: OPERATORS.constants[f"TYTO_OPERATORS_CHANNELS_{'LAST' if last else 'FIRST'}"] for last in (False, True)}
TYPES = {"halves": "native", "autocast": "native", "doubles": False}  # of all its operations
