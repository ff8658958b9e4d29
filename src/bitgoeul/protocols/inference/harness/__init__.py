"""The referee of protocol ``inference``: it knows subject, samples and settings; it does not know the verdict.

``python -m bitgoeul.protocols.inference.harness trial.json`` runs inside a job. The supervising parent
(``referee``) never parses a subject; each LoadGen run happens in a child of its own (``step``), because LoadGen
waits for ever for a lost response and dies by SIGSEGV when a callback raises. The parent watches the child's
count of answers and kills what stands still. The outcome is ``record.json`` and ``logs.tar``, whatever the
subject does.
"""
