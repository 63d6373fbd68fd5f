"""Live streams of statistics: one look at a project and one question for all of its streams, whatever their number."""
