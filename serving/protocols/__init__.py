"""The protocols of others, a file each: spoken where ``SIGHTLINE_PROTOCOLS`` names them.

Each has a function ``protocol`` that gives a :class:`~serving.protocols.protocol.Protocol`.
"""
