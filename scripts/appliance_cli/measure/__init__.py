"""Measures the running appliance, and counts what it costs."""
