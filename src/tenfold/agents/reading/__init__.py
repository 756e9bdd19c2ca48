"""What a customer's question says, understood by the catalog's own words and without a language model."""
