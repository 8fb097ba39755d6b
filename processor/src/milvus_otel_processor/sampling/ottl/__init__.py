"""OTTL conditions: text parsed at the start, compiled to Python closures, asked about spans and span events.

The language is that of opentelemetry-collector-contrib/pkg/ottl v0.158 as far as conditions need it.
"""
