"""``kubectl exchangepush``: what people do with a resource, in one word each."""
