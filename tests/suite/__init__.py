"""What ./scripts/test does once Python is there: understands what is asked for, checks, runs pytest.

Needs nothing but the standard library, since it also prepares the environment in which everything else runs.
"""
