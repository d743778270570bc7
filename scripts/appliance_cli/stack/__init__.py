"""The appliance as a whole: prepare, up, down, watch, scale, its models."""
