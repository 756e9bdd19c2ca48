"""Parts of the bench of agents and assistant: sets of questions, liars, attackers."""
