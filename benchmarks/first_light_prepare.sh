#!/usr/bin/env bash
# Fetches what a bare GPU machine lacks for first_light.sh: wheels for its Python, into benchmarks/wheels (40 MB at most).
# Where torch is installed, the judge of the demo model is trained into it too, once (minutes on a CPU).
#
#   bash benchmarks/first_light_prepare.sh [PYTHON VERSION, 3.12] [NAME ...]
#
# Such a machine has CUDA, torch, transformers, accelerate, numpy, safetensors, huggingface-hub, pillow and psutil. The
# names are what is fetched beside that, at the versions of constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:-3.12}
shift || true
names=("$@")
[ $# -gt 0 ] || names=(diffusers peft isal torchao importlib-metadata lazy-importer zipp psycopg psycopg-binary
  pydantic pydantic-core pydantic-settings python-dotenv annotated-types typing-inspection typing-extensions)
python=${PYTHON:-.venv/bin/python}
[ -x "$python" ] || python=python3

mkdir -p benchmarks/wheels
rm -f benchmarks/wheels/*.whl
for name in "${names[@]}"; do
  pinned=$(grep -iE "^${name}==" constraints.txt | head -1 | sed 's/ *;.*//')
  platforms=()
  for tag in manylinux1 manylinux2010 manylinux2014 manylinux_2_17 manylinux_2_24 manylinux_2_26 manylinux_2_27 \
    manylinux_2_28 manylinux_2_31 manylinux_2_34 manylinux_2_35; do
    platforms+=(--platform "${tag}_x86_64")
  done
  "$python" -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version "$version" \
    "${platforms[@]}" --dest benchmarks/wheels "${pinned:-$name}"
done
if "$python" -c 'import torch' 2>/dev/null; then
  echo "training the judge of the demo model, unless it is there"
  "$python" -m benchmarks.first_light.training
else
  echo "no torch here: the judge of the demo model is trained on the machine with the GPU, if there is time"
fi
"$python" -m benchmarks.first_light.wheels benchmarks/wheels "$version"
