"""Models elsewhere: any URL that speaks OpenAI's API."""
