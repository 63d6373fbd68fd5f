"""Makes a page for people of the OpenAPI description: HTML and one style sheet, without scripts."""
