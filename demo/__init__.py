"""The demo: an embedded model, a gallery, and both servers started together."""
