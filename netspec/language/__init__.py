"""Text to Graph: reading, the document's models, expressions, elaboration."""
