"""What the service says without being asked a question; kept for some minutes, for all readers."""

from __future__ import annotations

from typing import Any

import streamlit as st

from ui.answers import Answer, ServiceError
from ui.client import Addresses, Service
from ui.question import Question


@st.cache_resource
def service() -> Service:
    """The client that all readers share."""
    return Service(Addresses.from_environment())


@st.cache_data(ttl=300, show_spinner=False)
def info() -> dict[str, Any]:
    """What ``GET /info`` says."""
    return service().info()


@st.cache_data(ttl=300, show_spinner=False)
def facets(version: str) -> dict[str, Any]:
    """What there is to filter by in a bundle; nothing where the service is in trouble."""
    try:
        return service().facets()
    except ServiceError:
        return {}


@st.cache_data(ttl=300, show_spinner=False)
def first_images(version: str, question: Question) -> Answer | None:
    """What is to be seen before anything is asked; an older service shows nothing unsought."""
    try:
        return service().search(question)
    except ServiceError as error:
        if error.problem == "refused":
            return None
        raise
