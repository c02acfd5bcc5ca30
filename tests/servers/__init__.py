"""Both FastAGI servers: what they promise alike is tested on each."""
