"""Django helpers that know no domain: rendered text, pages of rows, errors beside fields."""
