"""Which model fits on which card in which mode, and the Compose file that follows."""
