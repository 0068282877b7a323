"""What the decoder says of a file that is not one."""
import sys


def need(condition, what):
    if not condition:
        sys.exit("corruption: " + what)
