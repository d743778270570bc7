"""The machine below: look at it, judge it, install what is missing."""
