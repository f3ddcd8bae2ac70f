"""Clients of the service's HTTP API: the page (Streamlit) and the MCP server."""
