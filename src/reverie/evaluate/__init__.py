"""What a trained agent and its dream are worth: returns, open-loop error, pictures and films."""
