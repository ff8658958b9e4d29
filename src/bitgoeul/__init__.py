"""bitgoeul (빛고을): one platform that runs a public AI cluster.

The rooms, high to low; a room imports only rooms below it, and of those only ``facade``, ``types``, ``ports``
and ``events``:

=============  =========================================================================================
site           settings, urls, REST root, command line, base templates, pages that join rooms, wiring
outcomes       indicators, verified claims, the two registers, public figures
protocols      plug-ins that say how a trial is prepared, run and judged
targets        plug-ins that say what a subject runs on
engines        plug-ins that run jobs
programmes     programme, call, application, decision, agreement
trials         subject, protocol, trial, record, evidence, stage
compute        cluster, job, engine port, metering
resources      catalogue, allocation, usage
ledger         unit, account, transfer, hold
accounts       user, organisation, project, membership, may()
content        blobs by digest
audit          events, hash chain, outbox, state moves
documents      XLSX from plain data
web            Django helpers that know no domain
kernel         errors, text, state tables, quantity, clock, ids, canonical bytes, signing
=============  =========================================================================================
"""
