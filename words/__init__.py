"""The words of the contract in Chinese and English, kept as data."""
