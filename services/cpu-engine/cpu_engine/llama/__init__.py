"""The engine llama.cpp: its model file, its server as a child process, its HTTP API."""
