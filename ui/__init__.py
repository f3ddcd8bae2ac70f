"""The page: a Streamlit client of the service's HTTP API."""
