"""Which accounts on several doorways are one person: links by one-time code, and taking them apart again."""
