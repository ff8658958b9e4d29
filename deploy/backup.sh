#!/bin/sh
# One backup into FOLDER, checked after it is written; the newest DAYS (30) are kept. backup.sh FOLDER PASSPHRASE-FILE [DAYS]
set -eu
umask 077
folder=$1 phrase=$2 days=${3:-30}
bitgoeul=${BITGOEUL:-$(dirname -- "$0")/../.venv/bin/bitgoeul}
file=$folder/bitgoeul-$(date -u +%Y%m%dT%H%M%SZ).tar
"$bitgoeul" backup "$file" --passphrase-file "$phrase"
"$bitgoeul" backup --check "$file"
# Old ones go only after a new one is known to be whole; the count, not the age, decides.
ls -1 "$folder"/bitgoeul-*.tar | sort -r | tail -n +"$((days + 1))" | while IFS= read -r old; do rm -f -- "$old"; done
