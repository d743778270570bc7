"""Another release in place of the one that runs, and back: upgrade and rollback."""
