"""The lakehouse's peers at its batch job: what one writes without it, as each tool's manual says.

They share nothing with the lakehouse but the definitions of its tables.
"""
