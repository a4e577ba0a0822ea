"""pandas where it is installed, and a sentence where not."""
from ._errors import Error


def pandas_or(instead: str):
    """The module pandas. instead: what else to take, for the Error where it is not installed."""
    try:
        import pandas
    except ImportError:
        raise Error("unsupported", f"pandas is not installed; `pip install pandas`, or take {instead}") from None
    return pandas
