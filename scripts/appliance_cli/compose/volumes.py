"""What docker-compose.yml's volumes hold, in the words in which an operator is asked whether it may go."""

MODELS = "models"
USAGE = "nginx-state"
HOLD = {
    MODELS: "the downloaded models",
    USAGE: "the usage counted",
    "prometheus": "the graphs' history",
    "import": "",  # always empty
    "inside": "",  # made anew at the next start
}


def everything() -> str:
    """All that is lost with the volumes."""
    *first, last = [what for what in HOLD.values() if what]
    return f"{', '.join(first)} and {last}"
