"""Models: Keras networks."""
