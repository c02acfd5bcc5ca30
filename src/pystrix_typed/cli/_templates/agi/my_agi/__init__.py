"""The call flow of my-agi."""
