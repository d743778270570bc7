"""TGI 3.3.7's HTTP contract, around any `cpu_engine.engine.Engine`."""
