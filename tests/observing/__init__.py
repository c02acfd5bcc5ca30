"""What a server lets be seen: logs, traces, metrics, spans, and the endpoint that tells of them."""
