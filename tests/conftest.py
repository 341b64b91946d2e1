# Being here puts this folder on the import path: tests share the slow, obvious references in it.
import signal

# A shell that runs tests in the background lets them ignore Ctrl-C, and all that they start would.
signal.signal(signal.SIGINT, signal.default_int_handler)
