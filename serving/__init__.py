"""What stands between the socket and the bundle: settings, batching, retrieval, HTTP."""
