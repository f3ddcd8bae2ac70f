"""What goes over the wire: requests, checked before they reach a batch, and answers."""
