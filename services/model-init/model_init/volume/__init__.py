"""The models volume: where files lie, what is published, what is proven, export and import."""
