"""What the tokenizer and padding really do: texts -> rows of cells, lengths -> padded widths and their waste."""
