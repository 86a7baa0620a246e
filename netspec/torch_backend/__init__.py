"""Graph to torch: the module, its initialisation, its weights."""
