"""FastAGI servers that are written with other libraries, called as Asterisk calls them."""
