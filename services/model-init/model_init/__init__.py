"""model-init: brings a model's files into the models volume, proves every byte, writes a manifest, exits."""
