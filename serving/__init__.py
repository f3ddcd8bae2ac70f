"""What stands between the socket and the bundle: from an HTTP request to its answer.

    app         middleware around routes, over the bundle that is in use
    edge        ids, counts, logs; error_answers, keys, bodies: what else a request passes
    routes      what each address answers
    plan        what a request asks; batcher: calls that share a run; engine: from plan to hits
    answer      from hits to bytes; wire: types of requests and answers
    openapi     the document; operations: a route of it

Arrows run down only (pyproject.toml has the layers).
"""
