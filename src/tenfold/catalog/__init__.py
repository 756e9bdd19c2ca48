"""What businesses sell and what they write: items with offers, passages with their source, read in and found again."""
