""".env and what it means."""
