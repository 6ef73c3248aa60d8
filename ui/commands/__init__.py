"""What the commands of the command line do; ui/__main__.py says what they are called and take."""
