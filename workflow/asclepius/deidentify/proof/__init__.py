"""Proof after writing: the released bytes are read anew and searched for everything known of the patient."""
