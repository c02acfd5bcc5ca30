"""The call flow of my-asyncio."""
