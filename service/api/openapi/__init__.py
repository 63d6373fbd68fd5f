"""Makes the OpenAPI 3.1 description from what the handlers use: models, bounds, headers and the catalogue of errors."""
