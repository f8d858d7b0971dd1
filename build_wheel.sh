#!/usr/bin/env bash
# Build the wheel, the same bytes wherever and whenever, and lay out below dist/kaggle/ what the kaggle command takes:
#
#     KAGGLE_OWNER=your-name ./build_wheel.sh [FOLDER-WITH-MANIFEST]
#
#     dist/kaggle/hbac-wheel     kaggle datasets create -p ...    our wheel, and safetensors' beside it
#     dist/kaggle/hbac-weights   kaggle datasets create -p ...    the manifest and its folds, from FOLDER (default: here)
#     dist/kaggle/hbac-infer     kaggle kernels push -p ...       the submission kernel
#     dist/kaggle/hbac-infer-notebook  likewise                   the same as a notebook, with a table and figures
#     dist/kaggle/hbac-train     kaggle kernels push -p ...       the training kernel, and hbac-train-notebook
set -euo pipefail

weights=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")}")
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${PYTHON:-python3}
kaggle=dist/kaggle
safetensors="safetensors==0.5.3"

[ -f "$weights/weights_manifest.json" ] || {
  echo "build_wheel.sh: expected $weights/weights_manifest.json, found none" >&2
  exit 2
}
case $weights/ in "$PWD"/dist/*)
  echo "build_wheel.sh: expected a folder outside dist/, which is made anew, received $weights" >&2
  exit 2
  ;;
esac
rm -rf dist
mkdir -p "$kaggle/hbac-wheel"

export SOURCE_DATE_EPOCH=1767225600 # 2026-01-01: the time that every file in the archive states
"$python" -m pip wheel --quiet --no-deps --no-cache-dir --disable-pip-version-check --wheel-dir dist ./wheel_src
cp dist/hbac-*.whl "$kaggle/hbac-wheel/"
"$python" -m pip download --quiet --no-deps --disable-pip-version-check --only-binary=:all: --implementation cp --abi abi3 \
  --python-version 3.10 --platform manylinux_2_17_x86_64 --dest "$kaggle/hbac-wheel" "$safetensors" ||
  echo "build_wheel.sh: $safetensors could not be downloaded; Kaggle's images hold one of their own" >&2

"$python" kernel/kaggle_folders.py "$kaggle" "$weights" ${KAGGLE_OWNER:+"$KAGGLE_OWNER"}

(cd dist && sha256sum hbac-*.whl)
