"""Data sets as training reads them."""
