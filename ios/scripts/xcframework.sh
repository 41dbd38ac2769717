#!/usr/bin/env bash
# Builds the core for iPhones, their simulator and this Mac, and puts the whole package together in target/ios, ready
# for Xcode. Needs a Mac with Xcode and Rust by rustup; with XcodeGen there it writes the Xcode project too.
#
# Nothing is built in the checkout: App, Sources and Tests are linked from target/ios, so editing them there edits
# them here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

need() {
    if ! command -v "$1" >/dev/null; then
        printf 'xcframework.sh: %s is missing: %s\n' "$1" "$2" >&2
        exit 1
    fi
}
need xcodebuild "install Xcode, then run: xcode-select --install"
need rustup "install Rust from https://rustup.rs"
need cargo "install Rust from https://rustup.rs"

targets=(aarch64-apple-ios aarch64-apple-ios-sim aarch64-apple-darwin)
out=target/ios
export IPHONEOS_DEPLOYMENT_TARGET=17.0 MACOSX_DEPLOYMENT_TARGET=14.0

rustup target add "${targets[@]}"
generated=$(cargo xtask bindings | sed -n 's/^Swift: *//p')

rm -rf "$out"
mkdir -p "$out/headers" "$out/Sources/Pairpin"
cp "$generated/PairpinFFI.h" "$out/headers/"
printf 'module PairpinFFI {\n    header "PairpinFFI.h"\n    export *\n}\n' >"$out/headers/module.modulemap"
cp "$generated/Pairpin.swift" "$out/Sources/Pairpin/"

libraries=()
for target in "${targets[@]}"; do
    cargo build --locked --profile "${PAIRPIN_PROFILE:-mobile}" --package pairpin-ffi --target "$target"
    libraries+=(-library "target/$target/${PAIRPIN_PROFILE:-mobile}/libpairpin_ffi.a" -headers "$out/headers")
done
xcodebuild -create-xcframework "${libraries[@]}" -output "$out/PairpinFFI.xcframework"

ln -s ../../../ios/Sources/PairpinKit "$out/Sources/PairpinKit"
for part in App Tests Package.swift project.yml .swift-format; do
    ln -s "../../ios/$part" "$out/$part"
done

if command -v xcodegen >/dev/null; then
    (cd "$out" && xcodegen generate)
    printf 'open %s/Pairpin.xcodeproj; tests: cargo build --package pairpin, then\n' "$out"
else
    printf 'brew install xcodegen, then run it in %s; tests: cargo build --package pairpin, then\n' "$out"
fi
printf '  cd %s && PAIRPIN_BIN=../debug/pairpin swift test\n' "$out"
