# Sourced by run and test: $root is the repository, $python a Python that the project supports.
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
python=
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
    found="${found:-}${found:+, }$candidate is $("$candidate" -V 2>&1 | cut -d' ' -f2)"
done
if [ -z "$python" ]; then
    {
        echo "bitgoeul needs Python 3.11, 3.12 or 3.13${found:+; $found}."
        echo "  Debian 12, Ubuntu 24.04:  sudo apt install python3 python3-venv"
        echo "  Ubuntu 22.04:             sudo apt install python3.11 python3.11-venv"
        echo "  Installed elsewhere:      PYTHON=/path/to/python3.12 $0"
    } >&2
    exit 2
fi
