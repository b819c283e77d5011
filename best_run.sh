#!/bin/sh
# MMER as published: sh best_run.sh AUDIO ROBERTA CSV SAVE [further flags of main_mmer.py]
set -eu
if [ "$#" -lt 4 ]; then
  echo "usage: sh best_run.sh path_to_audio_files path_to_roberta_embeddings path_to_iemocap_csv path_to_save_directory" >&2
  exit 2
fi
audio=$1 roberta=$2 csv=$3 save=$4
shift 4
here=$(dirname "$0")
python=python
[ -x "$here/.venv/bin/python" ] && python="$here/.venv/bin/python"
exec "$python" "$here/main_mmer.py" --run mmer --data_path_audio "$audio" \
  --data_path_roberta "$roberta" --csv_path "$csv" --save_path "$save" "$@"
