# shellcheck shell=bash
# What the scripts share; sourced, not run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=$(realpath -m "${FOVEA_BUILD_DIR:-$root/build/release}")

# Configures and builds: build_targets TARGET… (none: all). Quiet unless something fails or takes
# long: ninja's own status line shows on a terminal.
build_targets() {
  cmake -G Ninja -S "$root" -B "$build_dir" -DCMAKE_BUILD_TYPE=Release \
    >"$build_dir.configure.log" 2>&1 || {
    cat "$build_dir.configure.log" >&2
    return 1
  }
  cmake --build "$build_dir" --parallel "$(nproc)" ${@:+--target} "$@"
}

mkdir -p "$(dirname "$build_dir")"
