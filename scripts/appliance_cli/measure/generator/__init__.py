"""The load generator: a program of its own that asks for chat answers and says when each piece of them came.

Needs Python's standard library alone, since it runs on the host (through nginx) and, carried into a
container, beside the engine (straight). Nothing here imports from the rest of appliance_cli. Judges nothing.
"""
