"""Says why something does not work: looks at the host, the containers and their logs, and changes nothing."""
