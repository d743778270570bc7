"""TGI 3.3.7's HTTP contract: shapes, judgement, routes, streams, metrics. Knows no llama.cpp."""
