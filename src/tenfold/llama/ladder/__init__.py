"""The ladder: what small runs say of the model with ten times the compute."""
