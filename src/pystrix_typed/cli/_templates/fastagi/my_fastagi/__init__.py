"""The call flow of my-fastagi."""
