"""What chooses actions: actors and critics, planners, search."""
