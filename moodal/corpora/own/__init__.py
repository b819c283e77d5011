"""Features that users bring in files, of any encoder, instead of recordings to encode."""
