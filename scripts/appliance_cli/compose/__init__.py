"""docker compose's commands and what docker-py knows of the containers."""
