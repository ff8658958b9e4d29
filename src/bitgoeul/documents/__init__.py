"""Documents from plain data; knows no database."""
