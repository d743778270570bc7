"""The commands: options in, text and exit codes out. Nothing below imports from here."""
