"""Files by the digest of their content. Who may read one is asked where it is referred to."""
