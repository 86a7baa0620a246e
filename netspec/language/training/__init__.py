"""`train:` of a spec: its keys, what they choose from, and how all of it is held against the network."""
