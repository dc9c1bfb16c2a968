"""`sealtrain`, the command line of owners, operators and auditors.

It talks to Google's APIs and to nothing else, so the same verbs serve the stand-in and the cloud. Start-up is
quick: a verb imports what it needs when it runs.
"""
