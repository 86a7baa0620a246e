"""What can be read off a Graph: costs, receptive fields, the layer table."""
