"""Who may come in: keys, users, certificates, and what they used."""
