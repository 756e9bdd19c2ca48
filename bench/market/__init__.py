"""Markets for the benches of ads: logs of opportunities, rules that bid for them, and the judge."""
