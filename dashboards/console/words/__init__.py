"""The words of the console by where they stand: each key with its text in Chinese and English."""
