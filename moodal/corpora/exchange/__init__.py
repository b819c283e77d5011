"""Corpora in the formats of other toolkits: audformat, and Hugging Face datasets."""
