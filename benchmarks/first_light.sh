#!/usr/bin/env bash
# All that only a GPU can show, in one command: see benchmarks/first_light/__init__.py. PYTHON names the interpreter that
# has torch. What first_light_prepare.sh has fetched is put into a folder of its own and changes nothing on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONDONTWRITEBYTECODE=1

if compgen -G 'benchmarks/wheels/*.whl' >/dev/null; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --disable-pip-version-check \
    --root-user-action=ignore --target "$site" benchmarks/wheels/*.whl
  export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi
"$python" -m benchmarks.first_light "$@"
