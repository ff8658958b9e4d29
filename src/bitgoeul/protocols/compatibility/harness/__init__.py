"""The measuring program: it knows stack and suite, not the verdict."""
