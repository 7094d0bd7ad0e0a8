"""What is around the page: the wall, sign-in, downloads, and the server that runs it all."""
