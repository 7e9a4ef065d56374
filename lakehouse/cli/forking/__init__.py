"""The fork server: a process of the lake that has imported everything, and runs commands in forks.

A command's own imports take seconds of processor time; from here it begins at once. The server
stays, as the engine does, until `lakehouse down`.
"""
