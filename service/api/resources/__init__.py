"""The handlers of the API's resources: statistics in one module, what operators ask in another."""
