"""Can an engine load these files? One module a format; `structure` applies them to a whole model."""
